/* rooms.test.mjs - `tidewire bench rooms` finds every room complete, and sees
 * it when one is not.
 *
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { Scripts, Server, run, source } from "./harness.mjs";

const SCRIPT = join(source, "examples/bench/app.lua");

async function rooms(server, ...options) {
  const url = `ws://127.0.0.1:${server.port}/`;
  const flags = ["--rooms", "8", "--members", "6", "--seconds", "0.5", "--warmup", "0.1", "--settle", "0", "--drain", "30"];
  const { code, stdout, stderr } = await run(["bench", "rooms", "--url", url, "--json", ...flags, ...options]);
  return { code, stderr, report: stdout === "" ? null : JSON.parse(stdout) };
}

/* A server whose rooms publish as `publish` says, a Lua expression. */
function roomsOf(context, publish) {
  const scripts = new Scripts({
    "main.lua": `
local tw = require "tidewire"
local count = 0
return tw.routes { ["/room"] = tw.app {
    on_open = function(conn, req)
        conn.state.channel = req.query.channel
        return conn:subscribe(req.query.channel)
    end,
    on_message = function(conn, msg)
        count = count + 1
        ${publish}
    end,
} }`,
  });
  context.after(() => scripts.remove());
  return scripts.path();
}

for (const workers of [1, 3]) {
  test(`everybody in a room hears all others in order, with ${workers} workers`, async () => {
    const server = await Server.start(SCRIPT, { workers });
    for (const more of [[], ["--in-flight", "5", "--processes", "3"]]) {
      const { code, report } = await rooms(server, ...more);
      assert.equal(code, 0, JSON.stringify(report));
      assert.equal(report.ledger.received, 5 * report.sent);
      assert.equal(report.ledger.intended, report.ledger.received);
    }
    await server.stop();
  });
}

for (const workers of [1, 3]) {
  test(`members of several rooms hear those of all, with ${workers} workers`, async () => {
    const server = await Server.start(SCRIPT, { workers });
    for (const more of [[], ["--in-flight", "5", "--processes", "2"]]) {
      const { code, report } = await rooms(server, "--rooms", "20", "--members", "3", "--overlap", ...more);
      assert.equal(code, 0, JSON.stringify(report));
      assert.equal(report.connections, 20);
      assert.equal(report.ledger.received, 2 * report.sent);
    }
    await server.stop();
  });
}

test("a message that is left out is lost to all but its sender", async (context) => {
  const script = roomsOf(context, `if count % 100 ~= 99 then tw.publish(conn.state.channel, msg, { except = conn }) end`);
  const server = await Server.start(script, { workers: 1 });
  const { code, report } = await rooms(server, "--drain", "3");
  assert.equal(code, 1);
  assert.ok(report.ledger.lost > 0 && report.ledger.lost % 5 === 0, JSON.stringify(report.ledger));
  await server.stop();
});

test("a message that comes twice is doubled", async (context) => {
  const twice = `tw.publish(conn.state.channel, msg, { except = conn })`;
  const server = await Server.start(roomsOf(context, `${twice} ${twice}`), { workers: 1 });
  const { code, report } = await rooms(server);
  assert.equal(code, 1);
  assert.ok(report.ledger.doubled > 0, JSON.stringify(report.ledger));
  await server.stop();
});

test("a message that comes back to its sender is damage", async (context) => {
  const server = await Server.start(roomsOf(context, `tw.publish(conn.state.channel, msg)`), { workers: 1 });
  const { code, report } = await rooms(server);
  assert.equal(code, 1);
  assert.ok(report.ledger.damaged > 0, JSON.stringify(report.ledger));
  await server.stop();
});

test("a member that is closed is a disconnect, and its room goes on", async (context) => {
  const script = roomsOf(context, `if count == 500 then conn:close(4000) else tw.publish(conn.state.channel, msg, { except = conn }) end`);
  const server = await Server.start(script, { workers: 1 });
  const { code, report } = await rooms(server);
  assert.equal(code, 1);
  assert.equal(report.disconnects, 1);
  assert.deepEqual(report.close_codes, { 4000: 1 });
  assert.equal(report.ledger.lost, 0, JSON.stringify(report));
  await server.stop();
});
