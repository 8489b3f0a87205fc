/* Four clients at full speed: with messages, with pings, with pongs, with
 * fragments of nothing, and with what is small only until it is expanded. (Four
 * that also want echoes are in limits.test.mjs.)
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { test } from "node:test";
import { besiege, MiB } from "./hostile.mjs";
import { sanitized } from "./harness.mjs";

const CLIENTS = 4;
const MS = sanitized ? 1500 : 2500;

/* What counts a flood, and how many of it at the very least. */
const FLOODS = {
  frames: { what: "messages", counter: "messages_received_total", enough: 10_000 },
  pings: { what: "pings", counter: "pings_received_total", enough: 10_000 },
  pongs: { what: "pongs", counter: "bytes_received_total", enough: MiB },
  fragments: { what: "fragments of nothing", counter: "bytes_received_total", enough: MiB },
  packed: { what: "messages that expand as far as they may", counter: "inflated_messages_total", enough: 500 },
};

for (const [kind, { what, counter, enough }] of Object.entries(FLOODS)) {
  test(`${CLIENTS} clients flood with ${what}`, (t) =>
    besiege(t, { memory: CLIENTS * MiB }, async ({ server, mob, reaches }) => {
      const order = { kind, count: CLIENTS, path: "/sink", ms: MS };
      await reaches(counter, enough, async () => {
        assert.ok(!(await mob.flood(order)), "to flood breaks no rule: nobody is closed for it");
      });
      if (kind === "pings") {
        assert.ok((await server.metric("tidewire_pongs_skipped_total")) > 0, "every ping was answered");
      }
    }));
}
