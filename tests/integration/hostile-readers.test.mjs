/* Clients that do not read: what is published to them, or what they asked for
 * themselves. SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { test } from "node:test";
import { assertEndings, besiege, MiB } from "./hostile.mjs";
import { until } from "./harness.mjs";

const KiB = 1024;
const BUDGET = 256 * KiB;
const SIZE = 32 * KiB;
const READERS = 8;
const PIECES = 40; // published before one looks how it stands

/* What each policy leaves of a subscriber that does not read, and the counter
 * that tells how often it acted. */
const POLICIES = {
  close: { stays: 0, counter: "connections_closed_slow_total", enough: READERS },
  new: { stays: READERS, counter: "deliveries_dropped_total", enough: 10 * READERS },
  old: { stays: READERS, counter: "deliveries_dropped_total", enough: 10 * READERS },
  conflate: { stays: READERS, counter: "deliveries_conflated_total", enough: 10 * READERS },
};

for (const [policy, { stays, counter, enough }] of Object.entries(POLICIES)) {
  test(`${READERS} subscribers that stop reading while their channel, of class ${policy}, is flooded`, (t) => {
    const settings = { limits: { publication_budget: BUDGET, close: 1 } };
    const channel = `${policy}:pair`; // which they are in as well
    const memory = READERS * BUDGET + 2 * MiB; // and what the publisher has on its way
    return besiege(t, { settings, channel, memory }, async ({ server, mob, reaches }) => {
      const before = await server.metric("tidewire_connections");
      await mob.stopReading({ count: READERS, path: `/?channel=${channel},${policy}:flood` });
      await reaches(counter, enough, () => mob.publish({ path: `/?to=${policy}:flood`, size: SIZE, count: PIECES }));
      assert.ok((await server.metric("tidewire_connections")) - before >= stays, "somebody was closed");
      assert.ok((await server.metric("tidewire_queued_bytes")) <= READERS * (BUDGET + SIZE) + MiB);
      await mob.leave();
      await until("they have left", async () => (await server.metric("tidewire_connections")) === before);
    });
  });
}

const TALKERS = 4;

test(`${TALKERS} clients that never read their echoes are not read any more, and then cut off`, (t) => {
  const settings = { limits: { reply_budget: BUDGET, stall: 1 } };
  return besiege(t, { settings, memory: TALKERS * (BUDGET + 128 * KiB) }, async ({ server, mob, counts }) => {
    const order = { count: TALKERS, path: "/echo", size: 16 * KiB };
    await counts("connections_closed_slow_total", TALKERS, () => mob.hoard(order));
    /* Reading stops before the budget is full. */
    assert.equal(await server.metric("tidewire_replies_refused_total"), 0);
  });
});
