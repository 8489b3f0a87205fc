/* Reloads and lifecycles: on_start and on_stop, timers, workers that die
 * meanwhile. SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Client } from "./client.mjs";
import { pause, until } from "./harness.mjs";
import { app, ask, reloaded, scripts, server, start, stop, surround } from "./reload.mjs";

surround();

describe("lifecycle", () => {
  test("on_start and on_stop tell their reasons, and may wait", async () => {
    await start(`
local tw = require "tidewire"
return tw.app {
    drain = { spread = 0 },
    on_start = function(ctx) tw.sleep(0.01); tw.log.info("started", { why = ctx.reason }) end,
    on_stop = function(ctx) tw.sleep(0.01); tw.log.info("stopped", { why = ctx.reason }) end,
}
`);
    await server.logged(/msg=started .*why=start generation=1/);
    await reloaded();
    await server.logged(/msg=started .*why=reload generation=2/);
    await server.logged(/msg=stopped .*why=reload generation=1/);
    const old = await stop();
    assert.match(old.log, /msg=stopped .*why=shutdown generation=2/);
  });

  test("timers of the old generation stop; a named one keeps its beat", async () => {
    const BEAT = 0.2;
    const ticking = (name) => `
local tw = require "tidewire"
local mine = "${name}"
tw.every(${BEAT}, function() tw.publish("ticks", mine .. " " .. tw.now()) end, { name = "tick" })
tw.every(0.05, function() tw.publish("other", mine) end)
return tw.app {
    drain = { spread = 0 },
    on_open = function(conn) return conn:subscribe "ticks" end,
    on_message = function(conn, msg) conn:subscribe "other"; conn:send "in" end,
}
`;
    await start(ticking("one"));
    const client = await Client.open(server);
    /* The next times at which this generation ticked. */
    const ticks = async (name, count) => {
      const times = [];
      while (times.length < count) {
        const [who, at] = (await client.next()).split(" ");
        who === name && times.push(Number(at));
      }
      return times;
    };
    /* Ticks may come late, but not all of them, nor all by the same. */
    const isOnBeat = (a, b) => Math.abs((b - a) / BEAT - Math.round((b - a) / BEAT)) < 0.1;
    let name = "one", before = await ticks(name, 3);
    for (const next of ["two", "three", "four"]) {
      scripts.write("main.lua", ticking((name = next)));
      await reloaded();
      let after = await ticks(name, 3);
      for (let trial = 0; !after.some((b) => before.some((a) => isOnBeat(a, b))); trial++) {
        assert.ok(trial < 10, `off the beat: ${before} and then ${after}`);
        after = await ticks(name, 3);
      }
      before = after;
    }
    client.send("x");
    for (let i = 0, message; i < 5; message === name && i++) {
      message = await client.next();
      assert.match(message, new RegExp(`^(in|${name})( |$)`));
    }
  });
});

describe("a worker that dies during a reload", () => {
  for (const moment of [0, 5, 20, 60]) {
    test(`leaves no mixture, killed ${moment} ms after the request`, async () => {
      const slow = (name) => app(name, "local t = 0 for i = 1, 2e6 do t = t + i % 7 end");
      await start(slow("one"), { workers: 3, settings: { lua: { budget: 5 } } });
      const victim = await server.worker(1);
      scripts.write("main.lua", slow("two"));
      const answer = server.reload();
      await pause(moment);
      process.kill(victim.pid, "SIGKILL");
      const { status } = await answer;
      const final = await until("the worker is replaced", async () => {
        const now = await server.status();
        return now.workers.every((worker) => worker.ready) && now.workers[1].pid !== victim.pid && now;
      });
      const expected = status === 200 ? "two" : "one";
      assert.deepEqual(final.workers.map((worker) => worker.generation), Array(3).fill(final.generation));
      for (let i = 0; i < 12; i++) {
        const client = await Client.open(server);
        assert.equal(await ask(client, "x"), `${expected} ${final.generation} x`);
      }
      assert.equal(await reloaded(), final.generation + (status === 200 ? 1 : 2));
    });
  }

  test("starts again on the committed generation, though the files have changed", async () => {
    await start(app("one"), { workers: 2 });
    scripts.write("main.lua", app("two"));
    await reloaded();
    scripts.write("main.lua", "this is no Lua");
    const victim = await server.worker(0);
    process.kill(victim.pid, "SIGKILL");
    await server.replaced(0, victim.pid);
    for (let i = 0; i < 8; i++) {
      const client = await Client.open(server);
      assert.equal(await ask(client, "x"), "two 2 x");
    }
  });

  test("gets reason 'respawn' in on_start", async () => {
    await start('local tw = require "tidewire"\nreturn tw.app { on_start = function(ctx) tw.log.info("started", { why = ctx.reason }) end }\n');
    const { pid } = await server.worker(0);
    process.kill(pid, "SIGKILL");
    await server.logged(/msg=started .*why=respawn/);
    await until("all is ready", async () => (await server.worker(0)).ready);
  });
});
