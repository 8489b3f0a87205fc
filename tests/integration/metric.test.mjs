/* tw.metric and the costs of hooks: two workers, a reload, a death, and what
 * /metrics and /api/status say of it. SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { after, afterEach, before, describe, test } from "node:test";
import { Client, dropAll, LAB } from "./client.mjs";
import { Server, until } from "./harness.mjs";

let server, one, two;

before(async () => {
  server = await Server.start(LAB, { workers: 2 });
});
after(() => server?.stop());
afterEach(dropAll);

async function pair() {
  one = await Client.onWorker(server, 0);
  two = await Client.onWorker(server, 1);
}

describe("metrics of scripts", () => {
  const COUNT = 'return tw.metric.counter("orders_total", { "kind" }, { max = 2, help = "Orders" }):inc(2, "new")';

  test("are those of all workers, over a reload and a death", async () => {
    await pair();
    const total = () => server.metric("orders_total");
    assert.equal(await one.value(COUNT), true);
    assert.equal(await two.value(COUNT), true);
    assert.equal(await total(), 4);
    await server.reload();
    assert.equal(await two.value(COUNT), true);
    assert.equal(await total(), 6);
    await one.value('return tw.metric.gauge("level"):set(5)');
    await two.value('return tw.metric.gauge("level"):set(1)');
    assert.equal(await server.metric("level"), 6);
    const { pid } = await server.worker(0);
    process.kill(pid, "SIGKILL");
    await server.replaced(0, pid);
    assert.equal(await total(), 6);
    assert.equal(await server.metric("level"), 1);
    one = await Client.onWorker(server, 0);
    assert.equal(await one.value(COUNT), true);
    assert.equal(await total(), 8);
  });

  test("fold what is too much, and say so", async () => {
    await pair();
    const add = (client, kind) => client.value(`return tw.metric.counter("kinds_total", { "kind" }, { max = 2 }):inc(1, "${kind}")`);
    for (const [client, kind] of [[one, "a"], [two, "b"], [one, "c"], [two, "d"], [one, "b"]]) {
      await add(client, kind);
    }
    assert.equal(await server.metric("kinds_total", 'kind="other"'), 2);
    assert.equal(await server.metric("kinds_total", 'kind="b"'), 2);
    assert.equal((await server.values("kinds_total")).length, 3);
    assert.equal(await server.metric("tidewire_metric_folded_total", 'metric="kinds_total"'), 2);
    await until("a warning", () => /folded into .*kinds_total/.test(server.log));
  });

  test("are clean under promtool", async (t) => {
    await pair();
    await one.value('return tw.metric.histogram("took_seconds", { "path" }, { help = "a \\"b\\" \\\\ c" }):observe(0.2, "/x\\n\\"y\\"")');
    assert.equal(await server.metric("took_seconds_count"), 1);
    const child = spawn("promtool", ["check", "metrics"], { stdio: ["pipe", "pipe", "pipe"] });
    let output = "";
    child.stderr.on("data", (data) => (output += data));
    child.stdin.on("error", () => {});
    child.stdin.end(await server.metrics());
    const code = await new Promise((resolve) => child.on("error", () => resolve(null)).on("close", resolve));
    if (code === null) {
      t.skip("promtool is not installed");
      return;
    }
    assert.doesNotMatch(output, /took_seconds|error/);
  });
});

describe("costs of hooks", () => {
  const rows = async (name) => (await server.status()).hooks.filter((row) => row.name === name);

  test("are counted by generation", async () => {
    await pair();
    const [before] = await rows("on_message");
    await one.value("tw.sleep(0.2) local till = tw.clock() + 0.02 while tw.clock() < till do end");
    one.execute('error "no"');
    await one.expectClose(1011);
    const [row] = await rows("on_message");
    const { generation } = await server.status();
    assert.equal(row.generation, generation);
    assert.equal(row.calls, (before?.calls ?? 0) + 2);
    assert.equal(row.errors, (before?.errors ?? 0) + 1);
    assert.ok(row.cpu_seconds >= 0.019, `${row.cpu_seconds} s of CPU`);
    assert.ok(row.waiting_seconds >= 0.05, `${row.waiting_seconds} s of waiting`);
    assert.ok(row.slowest_seconds >= 0.019 && row.slowest_seconds <= row.cpu_seconds);
    const label = `hook="on_message",generation="${generation}"`;
    assert.equal(await server.metric("tidewire_script_calls_total", label), row.calls);
    assert.equal(await server.metric("tidewire_script_errors_total", label), row.errors);
  });

  test("are kept of two generations", async () => {
    await pair();
    for (let i = 0; i < 3; i++) {
      await server.reload();
      await two.value("return 1");
    }
    const { generation } = await server.status();
    assert.deepEqual((await rows("on_message")).map((row) => row.generation), [generation, generation - 1]);
    assert.equal((await rows("on_message"))[0].calls, 1);
    assert.equal((await server.values("tidewire_script_calls_total", 'hook="on_message"')).length, 2);
  });
});
