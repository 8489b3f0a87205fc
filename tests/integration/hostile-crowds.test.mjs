/* Very many connections: opened and reset, and all at once.
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { test } from "node:test";
import { sanitized, until } from "./harness.mjs";
import { besiege } from "./hostile.mjs";

const KiB = 1024;
const RESETS = sanitized ? 5000 : 50_000;
const WAVES = 5;
const ABREAST = 100;

test(`${RESETS} connections that are opened and reset`, (t) =>
  besiege(t, { memory: ABREAST * 4 * KiB, rounds: WAVES }, ({ mob, counts }) => {
    const order = { count: RESETS / WAVES, abreast: ABREAST, path: "/sink" };
    return counts("accepted_total", order.count, () => mob.reset(order));
  }));

const CROWD = sanitized ? 500 : 2000;

test(`${CROWD} connections at once`, (t) =>
  besiege(t, { memory: CROWD * 4 * KiB }, async ({ server, mob, counts }) => {
    const before = await server.metric("tidewire_connections");
    await counts("handshakes_total", CROWD, () => mob.crowd({ count: CROWD, path: "/sink" }));
    assert.equal(await server.metric("tidewire_connections"), before + CROWD);
    await mob.leave();
    await until("they have left", async () => (await server.metric("tidewire_connections")) === before);
  }));
