/* The admin member: metrics, health, readiness, status, and whom it answers.
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, statSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { Client, dropAll, LAB } from "./client.mjs";
import { Server, source, until } from "./harness.mjs";

let server;
before(async () => {
  server = await Server.start(LAB, { workers: 2, admin: "127.0.0.1:0", settings: { admin_token: "open sesame" } });
});
after(() => server?.stop());
afterEach(dropAll);

/* Over TCP; fetch would not let us choose Host and Origin. */
function ask(path, { method = "GET", headers = {} } = {}) {
  return new Promise((resolve, reject) => {
    const sent = request({ port: server.adminPort, host: "127.0.0.1", path, method, headers, agent: false }, (answer) => {
      let body = "";
      answer.setEncoding("utf8").on("data", (text) => (body += text));
      answer.on("end", () => resolve({ status: answer.statusCode, headers: answer.headers, body }));
    });
    sent.on("error", reject).end();
  });
}

async function promtool(text) {
  const child = spawn("promtool", ["check", "metrics"], { stdio: ["pipe", "pipe", "pipe"] });
  let output = "";
  child.stdout.on("data", (data) => (output += data));
  child.stderr.on("data", (data) => (output += data));
  child.stdin.end(text);
  const [code] = await once(child, "close");
  return { code, output };
}

async function hasPromtool() {
  const child = spawn("promtool", ["--version"], { stdio: "ignore" });
  return new Promise((resolve) => child.on("error", () => resolve(false)).on("close", () => resolve(true)));
}

describe("/metrics", () => {
  test("is clean under promtool check metrics", async (t) => {
    if (!(await hasPromtool())) {
      t.skip("promtool is not installed");
      return;
    }
    const client = await Client.open(server);
    await client.value('conn:subscribe("m") return tw.publish("m", "x")');
    const { headers, body } = await ask("/metrics");
    assert.match(headers["content-type"], /^text\/plain; version=0\.0\.4/);
    const { code, output } = await promtool(body);
    assert.equal(output, "");
    assert.equal(code, 0);
  });

  test("has every counter and gauge that there is, for each worker", async () => {
    const { body } = await ask("/metrics");
    const header = readFileSync(join(source, "core/include/tidewire/metrics.h"), "utf8");
    const [counters, gauges] = header.split("#define TW_GAUGES(X)");
    const names = (text) => [...text.matchAll(/X\([A-Z_]+,\s*"([a-z_]+)"/g)].map((match) => match[1]).filter((name) => name !== "name");
    assert.ok(names(counters).length > 40 && names(gauges).length > 8);
    for (const name of [...names(counters).map((one) => `${one}_total`), ...names(gauges)]) {
      const lines = body.split("\n").filter((line) => line.startsWith(`tidewire_${name}{`));
      assert.equal(lines.length, 2, `tidewire_${name}: ${lines}`);
      assert.match(body, new RegExp(`^# HELP tidewire_${name} \\S`, "m"));
    }
  });

  test("counts what happens", async () => {
    const client = await Client.open(server);
    await client.value('return conn:subscribe("counting")');
    const names = ["messages_received_total", "publications_total", "deliveries_total", "replies_sent_total", "hook_calls_total"];
    const read = () => Promise.all(names.map((name) => server.metric(`tidewire_${name}`)));
    const before = await read();
    await client.value('return tw.publish("counting", "x")');
    await client.expect("x");
    await until("all of it is counted", async () => (await read()).every((value, i) => value > before[i]));
  });

  test("follows connections, channels and subscriptions", async () => {
    const read = async () => (await Promise.all(["connections", "subscriptions"].map((name) => server.metric(`tidewire_${name}`)))).join();
    await until("all are gone", async () => (await read()) === "0,0");
    const clients = await Promise.all([1, 2, 3].map(() => Client.open(server)));
    await Promise.all(clients.map((client) => client.value('return conn:subscribe("g")')));
    await until("all are there", async () => (await read()) === "3,3");
    await Promise.all(clients.map((client) => client.close()));
    await until("all are gone", async () => (await read()) === "0,0");
  });
});

describe("health and status", () => {
  test("/health says that the process lives", async () => {
    const { status, body } = await ask("/health");
    assert.equal(status, 200);
    assert.deepEqual(JSON.parse(body), { status: "ok" });
  });
  test("/ready says that a canary came back", async () => {
    const { body } = await until("ready", async () => {
      const answer = await ask("/ready");
      return answer.status === 200 && answer;
    });
    const ready = JSON.parse(body);
    assert.equal(ready.ready, true);
    assert.equal(ready.workers_ready, 2);
    assert.ok(ready.canaries_returned >= 2);
  });
  test("/ready notices a worker that stands still", async () => {
    const { pid } = await server.worker(1);
    process.kill(pid, "SIGSTOP");
    try {
      await until("not ready", async () => (await ask("/ready")).status === 503);
      assert.equal((await ask("/health")).status, 200);
    } finally {
      process.kill(pid, "SIGCONT");
    }
    await until("ready again", async () => (await ask("/ready")).status === 200);
  });
  test("/api/status speaks for all workers", async () => {
    const clients = await Promise.all([0, 1].map((slot) => Client.onWorker(server, slot)));
    const { status, body } = await ask("/api/status");
    assert.equal(status, 200);
    const all = JSON.parse(body);
    assert.equal(all.master_pid, server.pid);
    assert.equal(all.generation, 1);
    assert.deepEqual(all.workers.map(({ slot, ready, generation, restarts }) => [slot, ready, generation, restarts]), [[0, true, 1, 0], [1, true, 1, 0]]);
    assert.ok(all.workers.every((worker) => worker.connections >= 1 && worker.memory_bytes > 1e6));
    assert.equal(clients.length, 2);
  });
  test("what is not there is 404, and a wrong method 405", async () => {
    assert.equal((await ask("/nothing")).status, 404);
    const { status, headers } = await ask("/metrics", { method: "POST", headers: { authorization: "Bearer open sesame" } });
    assert.equal(status, 405);
    assert.match(headers.allow, /GET/);
  });
});

describe("whom it answers", () => {
  for (const [host, status] of [
    ["localhost", 200],
    ["LOCALHOST:8090", 200],
    ["127.0.0.1", 200],
    ["127.1.2.3:80", 200],
    ["[::1]:8090", 200],
    ["evil.example", 421],
    ["localhost.evil.example", 421],
    ["127.0.0.1.evil.example", 421],
    ["10.0.0.1", 421],
  ]) {
    test(`Host: ${host} is answered with ${status}`, async () => {
      for (const path of ["/metrics", "/api/status", "/ready"]) {
        assert.equal((await ask(path, { headers: { host } })).status, status, path);
      }
    });
  }
  test("a foreign Origin is refused, our own is not", async () => {
    const host = `127.0.0.1:${server.adminPort}`;
    assert.equal((await ask("/api/status", { headers: { host, origin: "http://evil.example" } })).status, 403);
    assert.equal((await ask("/api/status", { headers: { host, origin: "null" } })).status, 403);
    assert.equal((await ask("/api/status", { headers: { host, origin: `http://${host}` } })).status, 200);
  });
  test("changes need the token or the Unix socket", async () => {
    assert.equal((await ask("/api/reload", { method: "POST" })).status, 403);
    assert.equal((await ask("/api/drain", { method: "POST" })).status, 403);
    for (const authorization of ["Bearer wrong", "Bearer ", "open sesame", "Basic open sesame", "Bearer open sesame!"]) {
      assert.equal((await ask("/api/reload", { method: "POST", headers: { authorization } })).status, 403, authorization);
    }
    const { status, body } = await ask("/api/reload", { method: "POST", headers: { authorization: "Bearer open sesame" } });
    assert.equal(status, 200, body);
    assert.equal((await server.reload()).status, 200);
    assert.equal((await server.status()).generation, 3);
  });
  test("a reload cannot be asked for with GET", async () => {
    assert.equal((await ask("/api/reload", { headers: { authorization: "Bearer open sesame" } })).status, 405);
  });
  test("its folder and socket are this user's alone", () => {
    assert.equal(statSync(server.runtimeDir).mode & 0o777, 0o700);
    assert.equal(statSync(join(server.runtimeDir, "admin.sock")).mode & 0o177, 0);
  });
});
