/* Overload and limits: what is full says so, and others are served.
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { after, afterEach, describe, test } from "node:test";
import { Client, dropAll, LAB } from "./client.mjs";
import { Server, least, patience, pause, run, until, watch } from "./harness.mjs";
import { Socket, cutAll, readResponse } from "./socket.mjs";
import { text, upgrade } from "../conformance/wire.mjs";

let server;

async function start(settings, options = {}) {
  server = await Server.start(LAB, { settings, ...options });
}

afterEach(async () => {
  dropAll();
  cutAll();
  await server?.stop();
  server = null;
});
after(dropAll);

/* The slot that puts this channel's publications in order. */
async function homeOf(channel, client) {
  const read = () => server.values("tidewire_publications_sequenced_total");
  const before = await read();
  await client.evaluate(`for i = 1, 200 do tw.publish("${channel}", "probe") end`);
  let home = -1;
  await until("the home is known", async () => {
    home = (await read()).findIndex((value, slot) => value - before[slot] >= 200);
    return home >= 0;
  });
  return home;
}

describe("the link between workers", () => {
  test("answers 'overloaded' when the budget to a home is full, and loses nothing that it took", async () => {
    await start({ limits: { publish_budget: "1MiB" }, lua: { budget: 10 } }, { workers: 2 });
    const clients = [await Client.onWorker(server, 0), await Client.onWorker(server, 1)];
    const home = await homeOf("hot", clients[0]);
    const [publisher, reader] = [clients[1 - home], clients[home]];
    await reader.value('return conn:subscribe("hot")');
    const { pid } = await server.worker(home);
    process.kill(pid, "SIGSTOP");
    const [taken, error] = await publisher.evaluate(`
      local pad = (" x"):rep(5000)
      for i = 1, 2000 do
          local ok, err = tw.publish("hot", i .. pad)
          if not ok then return i - 1, err end
          if i % 20 == 0 then tw.sleep(0) end
      end
      return 2000`);
    process.kill(pid, "SIGCONT");
    assert.equal(error?.code, "overloaded");
    assert.ok(taken >= 100, `only ${taken} were taken`);
    for (let i = 1; i <= taken; i++) {
      assert.equal(parseInt(await reader.next(), 10), i);
    }
    await until("it is taken again", async () => (await publisher.evaluate('return tw.publish("hot", "after")'))[0] === true);
    await reader.expect("after");
    assert.ok((await server.metric("tidewire_publications_refused_total")) >= 1);
  });

  test("drops and counts deliveries to a worker that does not read, and nobody else waits", async () => {
    await start({ limits: { delivery_budget: "1MiB" }, lua: { budget: 10 } }, { workers: 3 });
    const clients = [await Client.onWorker(server, 0), await Client.onWorker(server, 1), await Client.onWorker(server, 2)];
    const home = await homeOf("wide", clients[0]);
    const [publisher, still, other] = [clients[home], clients[(home + 1) % 3], clients[(home + 2) % 3]];
    await Promise.all([still, other].map((client) => client.value('return conn:subscribe("wide")')));
    const { pid } = await server.worker((home + 1) % 3);
    process.kill(pid, "SIGSTOP");
    const count = 1500;
    const got = other.take(count);
    await publisher.evaluate(`
      local pad = (" x"):rep(5000)
      for i = 1, ${count} do
          while not tw.publish("wide", i .. pad) do tw.sleep(0.005) end
          if i % 10 == 0 then tw.sleep(0.001) end
      end`, patience(60_000));
    const numbers = (await got).map((message) => parseInt(message, 10));
    assert.deepEqual(numbers, Array.from({ length: count }, (_, i) => i + 1));
    process.kill(pid, "SIGCONT");
    await until("the gap is counted", async () => (await server.metric("tidewire_link_gaps_total")) >= 1);
    await publisher.value('return tw.publish("wide", "0 end")');
    const seen = [];
    for (let value; (value = parseInt(await still.next(), 10)) !== 0; ) {
      assert.ok(seen.length === 0 || value > seen.at(-1), "in order");
      seen.push(value);
    }
    const lost = count - seen.length;
    assert.ok(lost > 0);
    /* A worker shows its link's figures ten times a second. */
    for (const name of ["tidewire_link_deliveries_dropped_total", "tidewire_link_gap_publications_total"]) {
      await until(`${name} is ${lost}`, async () => (await server.metric(name)) === lost);
    }
  });
});

describe("connections", () => {
  test("beyond the limit are refused, and room is used again", async () => {
    await start({ limits: { max_connections: 5 } });
    const clients = [];
    for (let i = 0; i < 5; i++) {
      clients.push(await Client.open(server));
    }
    await assert.rejects(Client.open(server));
    await until("it is counted", async () => (await server.metric("tidewire_accept_refused_total")) >= 1);
    await clients[0].send("well").expect("well");
    await clients[4].close();
    await until("there is room again", () => Client.open(server).then(() => true, () => false));
  });

  test("of one address beyond its limit are refused", async () => {
    await start({ limits: { max_connections_per_address: 3 } });
    await Promise.all([1, 2, 3].map(() => Client.open(server)));
    await assert.rejects(Client.open(server));
    const other = await Client.open(server, "/", { localAddress: "127.0.0.2" });
    await other.send("well").expect("well");
  });
});

describe("fairness", () => {
  /* The 99th percentile of an echo while four others flood for two seconds. */
  async function p99UnderFlood() {
    const url = `ws://127.0.0.1:${server.port}/`;
    const before = await server.metric("tidewire_messages_received_total");
    let isOver = false;
    const flags = ["--connections", "4", "--in-flight", "256", "--seconds", "2", "--warmup", "0.1", "--drain", "30"];
    const flood = run(["bench", "echo", "--url", url, ...flags]).finally(() => (isOver = true));
    const client = await Client.open(server);
    const { pid } = await server.worker(0);
    await until("the flood runs", async () => isOver || (await server.metric("tidewire_messages_received_total")) > before + 1000);
    const times = [];
    while (!isOver) {
      const waited = watch(pid);
      await client.send("healthy").expect("healthy");
      times.push(waited());
    }
    const { code, stderr } = await flood;
    assert.equal(code, 0, stderr);
    times.sort((a, b) => a - b);
    return times.length > 20 ? times[Math.floor(times.length * 0.99)] : Infinity;
  }

  test("four clients that flood leave others their echo", async (t) => {
    await start({});
    const best = await least("p99 in milliseconds", 50, p99UnderFlood);
    t.diagnostic(`p99 ${best.toFixed(1)} ms`);
  });

  /* Milliseconds of an echo that arrives together with all that the kernel
   * holds of four floods. No answers: only the reading is looked at. */
  async function echoBehindFloods() {
    const { pid } = await server.worker(0);
    const floods = await Promise.all([1, 2, 3, 4].map(() => Socket.connect(server.port)));
    for (const socket of floods) {
      await socket.write(upgrade("/"));
      assert.equal((await readResponse(socket)).status, 101);
    }
    const client = await Client.open(server);
    process.kill(pid, "SIGSTOP");
    const piece = Buffer.concat(Array(5000).fill(text("!", { mask: [0, 0, 0, 0] })));
    let taken = 0;
    for (const socket of floods) {
      for (let isFull = false; !isFull; taken += isFull ? 0 : 5000) {
        isFull = await Promise.race([socket.write(piece).then(() => false), pause(200).then(() => true)]);
      }
    }
    assert.ok(taken >= 100_000, `only ${taken} messages wait`);
    client.send("healthy");
    const waited = watch(pid);
    process.kill(pid, "SIGCONT");
    await client.expect("healthy");
    const ms = waited();
    floods.forEach((socket) => socket.cut());
    client.drop();
    return ms;
  }

  test("what four clients have sent already does not go before others", async (t) => {
    await start({});
    t.diagnostic(`${(await least("milliseconds of an echo", 50, echoBehindFloods)).toFixed(1)} ms`);
  });

  test("clients that send their request byte by byte are served, and others meanwhile", async () => {
    await start({});
    const head = `GET /run?code=return+200 HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(400)}\r\n\r\n`;
    const drips = Array.from({ length: 20 }, async () => {
      const socket = await Socket.connect(server.port);
      await socket.drip(head);
      assert.equal((await readResponse(socket)).status, 200);
    });
    const client = await Client.open(server);
    for (let i = 0; i < 100; i++) {
      await client.send(`${i}`).expect(`${i}`);
    }
    await Promise.all(drips);
  });
});
