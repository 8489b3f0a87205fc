/* Several workers as one server: order, counts, timers, tasks.
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { Client, dropAll, LAB } from "./client.mjs";
import { Scripts, Server, until } from "./harness.mjs";

const WORKERS = 3;
let server;
before(async () => {
  server = await Server.start(LAB, { workers: WORKERS });
});
after(() => server?.stop());
afterEach(dropAll);

/* `each` clients on each worker, subscribed to the channel. */
async function everywhere(channel, each = 1) {
  const clients = [];
  for (let slot = 0; slot < WORKERS; slot++) {
    for (let i = 0; i < each; i++) {
      const client = await Client.onWorker(server, slot);
      await client.value(`return conn:subscribe("${channel}")`);
      clients.push(client);
    }
  }
  return clients;
}

/* Channels whose homes are all of the workers, whatever the hash. */
const channels = ["a", "b", "c", "d", "e", "f"];

test("a publication of any worker reaches the subscribers of all", async () => {
  for (const channel of channels) {
    const clients = await everywhere(channel);
    for (const [i, client] of clients.entries()) {
      assert.equal(await client.value(`return tw.publish("${channel}", "from ${i}")`), true);
      await Promise.all(clients.map((other) => other.expect(`from ${i}`)));
    }
  }
});

test("publications of one worker to one channel keep their order", async () => {
  for (const channel of channels) {
    const clients = await everywhere(channel);
    clients[0].execute(`for i = 1, 500 do assert(tw.publish("${channel}", "" .. i)) end`);
    const expected = Array.from({ length: 500 }, (_, i) => `${i + 1}`);
    await Promise.all(clients.map((client) => client.expect(...expected)));
  }
});

test("a channel's order is the same for everybody", async () => {
  for (const channel of channels) {
    const clients = await everywhere(channel, 2);
    for (const [i, client] of clients.entries()) {
      client.execute(`for i = 1, 100 do tw.publish("${channel}", "${i}:" .. i) if i % 10 == 0 then tw.sleep(0) end end`);
    }
    const orders = await Promise.all(clients.map((client) => client.take(100 * clients.length)));
    for (const order of orders) {
      assert.deepEqual(order, orders[0]);
    }
    for (const publisher of clients.keys()) {
      const own = orders[0].filter((message) => message.startsWith(`${publisher}:`)).map((message) => Number(message.split(":")[1]));
      assert.deepEqual(own, Array.from({ length: 100 }, (_, i) => i + 1));
    }
  }
});

test("`except` holds across workers", async () => {
  const clients = await everywhere("except");
  for (const [i, client] of clients.entries()) {
    await client.value(`return tw.publish("except", "${i}", { except = conn })`);
    await Promise.all(clients.filter((other) => other !== client).map((other) => other.expect(`${i}`)));
  }
  await Promise.all(clients.map((client) => client.expectNone()));
});

test("bytes and keys cross workers", async () => {
  const clients = await everywhere("slow:conflate:bytes");
  await clients[0].value(String.raw`return tw.publish("slow:conflate:bytes", "\0\255", { binary = true, key = "k" })`);
  await Promise.all(clients.map((client) => client.expect(Buffer.from([0, 255]))));
});

/* Each asks as soon as it is told, so at once another worker than the one that counted last. */
test("whoever is told of its subscription is counted", async () => {
  for (const channel of channels.map((name) => `told:${name}`)) {
    const clients = await Promise.all(Array.from({ length: 3 * WORKERS }, (_, i) => Client.onWorker(server, i % WORKERS)));
    for (const [i, client] of clients.entries()) {
      await client.value(`return conn:subscribe("${channel}")`);
      const other = clients[(i + 1) % clients.length];
      assert.equal(await other.value(`return tw.channel("${channel}"):count()`), i + 1);
    }
  }
});

test("subscribers of all workers are counted, and uncounted", async () => {
  const clients = await everywhere("counted", 2);
  for (const client of clients) {
    assert.equal(await client.value('return tw.channel("counted"):count()'), 6);
  }
  await clients[0].close();
  clients[1].drop();
  await clients[2].value('return conn:unsubscribe("counted")');
  await until("three are left", async () => (await clients[5].value('return tw.channel("counted"):count()')) === 3);
});

test("a subscription misses nothing that is published after its confirmation", async () => {
  const clients = await everywhere("other");
  for (let i = 0; i < 60; i++) {
    const [reader, writer] = [clients[i % WORKERS], clients[(i + 1) % WORKERS]];
    await reader.value(`return conn:subscribe("fresh${i}")`);
    await writer.value(`return tw.publish("fresh${i}", "${i}")`);
    await reader.expect(`${i}`);
  }
});

test("what is in braces chooses the home: two such channels share one", async () => {
  const clients = await everywhere("cell:{42}:1");
  await Promise.all(clients.map((client) => client.value('return conn:subscribe("cell:{42}:2")')));
  const sequenced = () => server.values("tidewire_publications_sequenced_total");
  const before = await sequenced();
  clients[0].execute('for i = 1, 100 do tw.publish("cell:{42}:" .. (i % 2 + 1), "" .. i) end');
  for (const client of clients) {
    const got = (await client.take(100)).map(Number);
    for (const parity of [0, 1]) {
      const own = got.filter((n) => n % 2 === parity);
      assert.deepEqual(own, Array.from({ length: 50 }, (_, i) => 2 * i + 2 - parity));
    }
  }
  await until("one slot has put all of them in order", async () => (await sequenced()).some((value, slot) => value - before[slot] >= 100));
});

test("a message of a megabyte crosses workers", async () => {
  const clients = await everywhere("large");
  clients[0].execute('tw.publish("large", ("x"):rep(1000000))');
  for (const client of clients) {
    assert.equal((await client.next()).length, 1_000_000);
  }
});

test("timers with once = 'server' run in one worker, others in each", async () => {
  const scripts = new Scripts({
    "main.lua": `
local tw = require "tidewire"
tw.every(0.05, function() tw.publish("one", "one " .. tw.worker) end, { name = "one", once = "server" })
tw.every(0.05, function() tw.publish("each", "each " .. tw.worker) end)
return tw.app {
    drain = { spread = 0 },
    on_message = function(conn, msg) conn:send { subscribed = conn:subscribe(msg.data) ~= nil } end,
}
`,
  });
  const other = await Server.start(scripts.path(), { workers: WORKERS });
  const [one, each] = [await Client.open(other), await Client.open(other)];
  one.send("one");
  each.send("each");
  const ones = (await one.take(8)).filter((message) => message.startsWith("one"));
  assert.ok(ones.length >= 7 && ones.every((message) => message === "one 0"), ones.join());
  const eaches = new Set();
  while (eaches.size < WORKERS) {
    const message = await each.next();
    message.startsWith("{") || eaches.add(message);
  }
  assert.deepEqual([...eaches].sort(), ["each 0", "each 1", "each 2"]);
  await other.reload();
  one.send("again");
  const after = await one.take(6);
  assert.ok(after.every((message) => message === "one 0" || message.startsWith("{")), after.join());
  dropAll();
  await other.stop();
  scripts.remove();
});

test("tw.stats speaks for all workers", async () => {
  const clients = await everywhere("stats");
  const stats = await clients[1].value("return tw.stats()");
  assert.deepEqual(stats.workers.map((worker) => worker.slot), [0, 1, 2]);
  assert.ok(stats.connections >= 3);
  assert.equal(stats.connections, stats.workers.reduce((sum, worker) => sum + worker.connections, 0));
  const { workers } = await server.status();
  assert.deepEqual(stats.workers.map((worker) => worker.pid), workers.map((worker) => worker.pid));
});

test("connection ids differ on all workers", async () => {
  const clients = await everywhere("ids", 3);
  const ids = await Promise.all(clients.map((client) => client.value("return conn.id")));
  assert.equal(new Set(ids).size, clients.length);
});

test("module variables belong to one worker", async () => {
  const clients = await everywhere("own");
  await Promise.all(clients.map((client, i) => client.evaluate(`lab.own = ${i}`)));
  assert.deepEqual(await Promise.all(clients.map((client) => client.value("return lab.own"))), [0, 1, 2]);
});
