/* Workers that die, hang or are drained, and what the others notice.
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { after, afterEach, describe, test } from "node:test";
import { Client, dropAll, LAB } from "./client.mjs";
import { Server, isAlive, least, pause, sanitized, until } from "./harness.mjs";


let server;

async function start(options) {
  server = await Server.start(LAB, { workers: 3, ...options });
  return server;
}

afterEach(async () => {
  dropAll();
  await server?.stop();
  server = null;
});
after(dropAll);

/* A client on each of the workers, subscribed. */
async function onAll(channel, workers = 3) {
  const clients = [];
  for (let slot = 0; slot < workers; slot++) {
    clients.push(await Client.onWorker(server, slot));
    await clients[slot].value(`return conn:subscribe("${channel}")`);
  }
  return clients;
}

const publish = (client, channel, data) => client.value(`return tw.publish("${channel}", "${data}")`);

/* The first of the answers that is right, asked for again and again: while a
 * slot restarts, counts and publications may wait or fail. */
const eventually = (what, ask) => until(what, () => ask().catch(() => false));

describe("a worker that is killed", () => {
  for (const slot of [0, 1, 2]) {
    test(`is replaced, and no connection of another notices: slot ${slot}`, async () => {
      await start();
      const clients = await onAll("room");
      const others = clients.filter((_, i) => i !== slot);
      const { pid, incarnation } = await server.worker(slot);
      process.kill(pid, "SIGKILL");
      await server.replaced(slot, pid);
      await clients[slot].expectClose(1006);
      assert.ok((await server.worker(slot)).incarnation > incarnation);
      for (const client of others) {
        assert.ok(client.isOpen);
        await client.expectNone();
      }
      const again = await Client.onWorker(server, slot);
      await again.value('return conn:subscribe("room")');
      await eventually("all three are counted", async () => (await others[0].value('return tw.channel("room"):count()')) === 3);
      for (const [i, client] of [...others, again].entries()) {
        await eventually("it is published", () => publish(client, "room", `from ${i}`));
      }
      for (const client of [...others, again]) {
        assert.deepEqual((await client.take(3)).sort(), ["from 0", "from 1", "from 2"]);
      }
    });
  }

  test("is replaced within a second", async (t) => {
    /* Each time in a server of its own: one that dies again has to wait. */
    const took = await least("milliseconds until it was replaced", sanitized ? 4000 : 1000, async () => {
      await start({ workers: 2 });
      const { pid } = await server.worker(1);
      const since = performance.now();
      process.kill(pid, "SIGKILL");
      await server.replaced(1, pid);
      const ms = performance.now() - since;
      await server.stop();
      server = null;
      return ms;
    });
    t.diagnostic(`${took.toFixed(0)} ms`);
  });

  test("leaves the order of what others publish", async () => {
    await start();
    const clients = await onAll("{a}room");
    const [publisher, reader] = [clients[0], clients[2]];
    const { pid } = await server.worker(1);
    for (let i = 0; i < 300; i++) {
      if (i === 100) {
        process.kill(pid, "SIGKILL");
      }
      await eventually(`publication ${i}`, () => publisher.evaluate(`assert(tw.publish("{a}room", "${i}"))`));
    }
    /* What was on its way to the one that died may be lost; this is not. */
    await server.replaced(1, pid);
    await eventually("the last publication", () => publisher.evaluate('assert(tw.publish("{a}room", "300"))'));
    let last = -1;
    while (last < 300) {
      const number = Number(await reader.next());
      assert.ok(number > last, `${number} after ${last}`);
      last = number;
    }
    assert.ok(publisher.isOpen && reader.isOpen);
  });

  test("again and again is replaced again and again", async () => {
    await start({ workers: 2 });
    const steady = await Client.onWorker(server, 0);
    for (let i = 0; i < 4; i++) {
      const { pid } = await server.worker(1);
      process.kill(pid, "SIGKILL");
      await server.replaced(1, pid);
    }
    assert.equal((await server.worker(1)).restarts, 4);
    assert.equal(await steady.value("return 1"), 1);
  });

  test("does not take its counters along", async () => {
    await start({ workers: 2 });
    const client = await Client.onWorker(server, 1);
    for (let i = 0; i < 20; i++) {
      await client.value("return 1");
    }
    const before = await server.metric("tidewire_messages_received_total");
    const { pid } = await server.worker(1);
    process.kill(pid, "SIGKILL");
    await server.replaced(1, pid);
    assert.ok((await server.metric("tidewire_messages_received_total")) >= before);
    await until("no connection is left", async () => (await server.metric("tidewire_connections")) === 0);
  });

  test("resets none of the connections that waited to be accepted", async () => {
    await start({ workers: 1 });
    const { pid } = await server.worker(0);
    process.kill(pid, "SIGSTOP");
    /* Connected is who is in the queue: nobody accepts. */
    const queued = [];
    const createConnection = (options) => {
      const socket = connect({ host: options.host, port: options.port });
      queued.push(once(socket, "connect"));
      return socket;
    };
    const waiting = Array.from({ length: 20 }, () => Client.open(server, "/", { createConnection }));
    await Promise.all(queued);
    process.kill(pid, "SIGKILL");
    for (const client of await Promise.all(waiting)) {
      assert.equal(await client.value("return 7"), 7);
    }
  });

  test("with all others comes back", async () => {
    await start();
    const { workers } = await server.status();
    workers.forEach(({ pid }) => process.kill(pid, "SIGKILL"));
    await Promise.all(workers.map(({ slot, pid }) => server.replaced(slot, pid)));
    const clients = await onAll("room");
    await eventually("it is published", () => publish(clients[0], "room", "all back"));
    await Promise.all(clients.map((client) => client.expect("all back")));
  });
});

describe("the admin member", () => {
  test("that is killed is replaced, and nobody else notices", async () => {
    await start();
    const client = await Client.open(server);
    const { admin_pid } = await server.status();
    process.kill(admin_pid, "SIGKILL");
    await eventually("another one answers", async () => (await server.status()).admin_pid !== admin_pid);
    assert.equal(await client.value("return 3"), 3);
    await until("it is ready again", async () => (await server.ask("/ready")).status === 200);
  });
});

describe("a worker that hangs", () => {
  test("without CPU time is replaced after the wall time", async () => {
    await start({ settings: { hang: { wall: 5 } } });
    const clients = await onAll("room");
    const { pid } = await server.worker(1);
    process.kill(pid, "SIGSTOP");
    await server.replaced(1, pid);
    await server.logged(/hung|hang/);
    assert.equal((await server.worker(1)).hangs, 1);
    assert.ok(clients[0].isOpen && clients[2].isOpen);
    await eventually("it is published", () => publish(clients[0], "room", "on we go"));
    await clients[2].expect("on we go");
    assert.equal(isAlive(pid), false);
  });

  test("for a moment only is left alone", async () => {
    await start({ workers: 2 });
    const client = await Client.onWorker(server, 1);
    const { pid } = await server.worker(1);
    process.kill(pid, "SIGSTOP");
    client.send("are you there?");
    await pause(300);
    process.kill(pid, "SIGCONT");
    await client.expect("are you there?");
    assert.equal((await server.worker(1)).pid, pid);
  });

  test("is no reason for publications of others to be lost", async () => {
    await start();
    const clients = await onAll("{x}room");
    const { pid } = await server.worker(2);
    process.kill(pid, "SIGSTOP");
    for (let i = 0; i < 50; i++) {
      await clients[0].evaluate(`return tw.publish("{x}room", "${i}")`);
    }
    process.kill(pid, "SIGCONT");
    await Promise.all(clients.map((client) => client.expect(...Array.from({ length: 50 }, (_, i) => String(i)))));
  });
});

describe("the end", () => {
  test("SIGTERM drains: connections are closed with 1012 after what was queued", async () => {
    await start();
    const clients = await onAll("room");
    const delivered = () => server.metric("tidewire_deliveries_total");
    const before = await delivered();
    await publish(clients[0], "room", "the last");
    await until("it has reached every worker", async () => (await delivered()) === before + clients.length);
    const old = server;
    server = null;
    await Promise.all([old.stop(), ...clients.map((client) => client.expectClose(1012))]);
    for (const client of clients) {
      assert.equal(client.pending, 1);
      assert.equal(await client.next(), "the last");
    }
  });

  test("a route may choose another code for the drain", async () => {
    await start();
    const client = await Client.open(server, "/drain");
    const old = server;
    server = null;
    await Promise.all([old.stop(), client.expectClose(4012)]);
  });

  test("while it drains nothing is ready or accepted", async () => {
    await start({ workers: 1, args: ["--drain", "600s"] });
    const client = await Client.open(server);
    client.pause(); // the drain waits for its answer to the close
    assert.equal((await server.ask("/api/drain", "POST")).status, 202);
    await until("not ready", async () => (await server.ask("/ready")).status === 503);
    /* Nobody takes it up, and at the end it is reset. */
    let isOpen = false;
    const late = assert.rejects(Client.open(server).then(() => (isOpen = true)));
    await until("it stays not ready", async () => (await server.ask("/ready")).status === 503);
    assert.equal(isOpen, false);
    client.resume();
    await client.expectClose(1012);
    await late;
    await server.ended();
    server = null;
  });

  test("a second SIGTERM ends at once", async () => {
    const never = 600;
    await start({ args: ["--drain", `${never}s`], settings: { lua: { wait: never } } });
    const client = await Client.open(server);
    client.pause(); // it will not answer the close
    client.execute(`tw.sleep(${never})`);
    await server.hookWaits();
    const { workers } = await server.status();
    server.signal("SIGTERM");
    await server.logged(/drains/);
    server.signal("SIGTERM");
    await server.gone; // long before the drain would be over
    await until("the workers are gone", () => workers.every(({ pid }) => !isAlive(pid)));
    await server.kill();
    server = null;
  });

  test("of the master lets the workers drain and exit", async () => {
    await start();
    const clients = await onAll("room");
    const { workers, admin_pid } = await server.status();
    const closes = clients.map((client) => client.expectClose(1012));
    process.kill(server.pid, "SIGKILL");
    await Promise.all(closes);
    await until("all are gone", () => [admin_pid, ...workers.map(({ pid }) => pid)].every((pid) => !isAlive(pid)));
    await server.kill();
    server = null;
  });
});

describe("very many workers", () => {
  test("53 start, serve, publish to each other and end", async () => {
    await start({ workers: 53 });
    const status = await server.status();
    assert.equal(status.workers.length, 53);
    assert.ok(status.workers.every((worker) => worker.ready));
    const clients = await Promise.all(Array.from({ length: 106 }, () => Client.open(server)));
    const slots = new Set(await Promise.all(clients.map((client) => client.value("return tw.worker"))));
    assert.ok(slots.size > 20, `only ${slots.size} workers have connections`);
    await Promise.all(clients.map((client) => client.value('return conn:subscribe("everybody")')));
    await until("all are counted", async () => (await clients[0].value('return tw.channel("everybody"):count()')) === 106);
    await Promise.all(clients.map((client, i) => publish(client, "everybody", i)));
    const expected = Array.from({ length: 106 }, (_, i) => String(i)).sort();
    const orders = await Promise.all(clients.map((client) => client.take(106)));
    assert.deepEqual([...orders[0]].sort(), expected);
    for (const order of orders) {
      assert.deepEqual(order, orders[0], "everybody sees the same order");
    }
    const { status: code } = await server.reload();
    assert.equal(code, 200);
    assert.equal(await clients[7].value("return tw.generation"), 2);
  });
});
