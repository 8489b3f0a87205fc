/* top.test.mjs - tidewire top: what a running server does, in a terminal.
 *
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Client } from "./client.mjs";
import { Scripts, Server, run, until } from "./harness.mjs";
import { inTerminal } from "./terminal.mjs";

const MAIN = `local tw = require "tidewire"
tw.channels { ["big"] = { slow = "drop_new" } }
return tw.app {
    on_upgrade = function(req) return { user = req.query.user } end,
    on_open = function(conn, req) conn:subscribe(req.query.channel or "small") end,
    on_message = function(conn, msg)
        if msg.data == "flood" then
            for _ = 1, 20 do tw.publish("big", ("x"):rep(60000)) end
        else
            tw.publish("small", msg)
        end
    end,
}
`;
const scripts = new Scripts({ "main.lua": MAIN });
after(() => scripts.remove());

describe("top", () => {
  let server;
  const clients = [];
  before(async () => {
    server = await Server.start(scripts.path(), { workers: 2, admin: "127.0.0.1:0" });
    for (const user of ["ann", "bob", "cid"]) {
      clients.push(await Client.open(server, `/?user=${user}`));
    }
    await until("all are subscribed", async () => (await server.metric("tidewire_subscriptions")) === 3);
    clients[0].send("hello");
    await until("all have got it", async () => (await server.metric("tidewire_deliveries_total")) === 3);
  });
  after(async () => {
    clients.forEach((client) => client.drop());
    await server?.stop();
  });
  const top = (...more) => run(["top", "--runtime-dir", server.runtimeDir, ...more]);
  const answer = async () => JSON.parse((await server.ask("/api/top")).body);

  test("--once prints known numbers and nothing for terminals", async () => {
    let stdout;
    await until("both workers answer in time", async () => {
      const { code, stdout: text, stderr } = await top("--once", "--interval", "0.1");
      assert.deepEqual([code, stderr], [0, ""]);
      stdout = text;
      return !/ busy /.test(text);
    });
    assert.match(stdout, /^Tidewire \d+\.\d+\.\d+, up \d+s, generation 1, over \d+\.\d s\n3 connections, in /);
    const rows = stdout.split("\n").filter((line) => /^[01] {2}/.test(line)).map((line) => line.trim().split(/\s+/));
    assert.deepEqual(rows.map(([slot, state]) => [slot, state]), [["0", "ready"], ["1", "ready"]]);
    assert.equal(rows.reduce((sum, row) => sum + Number(row[3]), 0), 3);
    assert.match(stdout, /^on_message +1 +\S+ +1 +0 /m);
    assert.match(stdout, /^on_open +1 +\S+ +3 +0 /m);
    assert.match(stdout, /^small +3 +\S+ +1$/m);
    assert.doesNotMatch(stdout, /\x1b/);
  });

  test("/api/top has the status, and each worker's figures", async () => {
    let given;
    await until("both workers answer in time", async () => (given = await answer()).top.every(({ answered }) => answered));
    const { workers, hooks, top: slots } = given;
    assert.equal(workers.length, 2);
    assert.ok(hooks.some(({ name, calls }) => name === "on_message" && calls === 1));
    assert.deepEqual(slots.map(({ slot, answered }) => [slot, answered]), [[0, true], [1, true]]);
    const sum = (key) => slots.reduce((total, slot) => total + slot[key], 0);
    assert.equal(sum("connections"), 3);
    assert.equal(sum("messages_received"), 1);
    assert.equal(sum("deliveries"), 3);
    assert.equal(sum("walked_connections"), 3);
    for (const { turns, crowds, streams } of slots) {
      assert.equal(turns.at(-1)[0], null);
      assert.ok(turns.reduce((total, [, count]) => total + count, 0) > 0);
      assert.deepEqual(crowds, streams); // there is but one channel, or none
    }
    assert.deepEqual(JSON.parse((await server.ask("/api/top?worker=1")).body).top.map(({ slot }) => slot), [1]);
    assert.equal((await server.ask("/api/top?worker=9")).status, 404);
  });

  test("the fullest queues are named with their users", async () => {
    const slow = await Client.open(server, "/?user=slow-one&channel=big");
    try {
      slow.pause();
      await until("its queue has something", async () => {
        clients[0].send("flood");
        return (await answer()).top.some(({ queues }) => queues?.length > 0);
      });
      let queues;
      await until("both workers answer in time", async () => {
        const { top: slots } = await answer();
        queues = slots.flatMap((slot) => slot.queues);
        return slots.every(({ answered }) => answered);
      });
      assert.equal(queues.length, 1);
      assert.equal(queues[0].user, "slow-one");
      assert.equal(queues[0].ip, "127.0.0.1");
      assert.equal(queues[0].id.length, 22);
      assert.ok(queues[0].queued_bytes > 0);
      await until("it is in the picture", async () => {
        const { stdout } = await top("--once", "--interval", "0.1");
        return /^FULLEST QUEUE +WORKER +USER +IP +QUEUED\n\S{22} +[01] +slow-one +127\.0\.0\.1 +\S+ (B|KiB|MiB)$/m.test(stdout);
      });
    } finally {
      slow.drop();
    }
  });

  test("who may not reload may not see users", async () => {
    const seen = await fetch(`http://127.0.0.1:${server.adminPort}/api/top`);
    assert.equal(seen.status, 403);
  });

  test("without a terminal it asks for --once", async () => {
    const { code, stderr } = await top();
    assert.equal(code, 2);
    assert.match(stderr, /needs a terminal, or --once/);
  });

  const ENTER = "\x1b[?1049h", LEAVE = "\x1b[?25h\x1b[?1049l";
  const args = () => ["top", "--runtime-dir", server.runtimeDir, "--interval", "60"];

  test("in a terminal it draws, is drawn anew for another size, and q gives all back", async () => {
    const { code, stderr } = await inTerminal(args(), [
      { rows: 40, columns: 150, wait: ENTER },
      { wait: "TURN P99" },
      { rows: 5, columns: 30, wait: "Tidewire" },
      { type: " ", wait: "WORKER" },
      { type: "q", wait: LEAVE },
    ]);
    assert.equal(code, 0, stderr);
  });

  test("a signal gives the terminal back, too", async () => {
    for (const signal of ["SIGTERM", "SIGINT"]) {
      const { code, stderr } = await inTerminal(args(), [{ wait: ENTER }, { wait: "WORKER" }, { signal, wait: LEAVE }]);
      assert.equal(code, 0, stderr);
    }
  });

  test("the server's end ends it, and is told", async () => {
    const other = await Server.start(scripts.path());
    const steps = [{ wait: "WORKER" }, { end: other.pid, wait: LEAVE }, { wait: "tidewire: " }];
    const { code, stderr } = await inTerminal(["top", "--runtime-dir", other.runtimeDir, "--interval", "0.1"], steps);
    await other.ended();
    assert.equal(code, 1, stderr);
  });
});
