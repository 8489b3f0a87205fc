/* Workers that die, hang or are drained, and what the others notice.
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { after, afterEach, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Client, dropAll } from "./client.mjs";
import { Server, isAlive, patience, sanitized, until } from "./harness.mjs";

const LAB = fileURLToPath(new URL("./lab.lua", import.meta.url));

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

/* Waits until another process serves the slot; gives the milliseconds since. */
async function replaced(slot, pid, since) {
  await until(`slot ${slot} is replaced`, async () => {
    const worker = await server.worker(slot);
    return worker.ready && worker.pid !== pid && worker.pid > 0;
  }, patience(20_000));
  return Date.now() - since;
}

/* The first of the answers that is right, asked for again and again: while a
 * slot restarts, counts and publications may wait or fail. */
const eventually = (what, ask) => until(what, () => ask().catch(() => false));

describe("a worker that is killed", () => {
  for (const slot of [0, 1, 2]) {
    test(`is replaced within a second, and no connection of another notices: slot ${slot}`, async () => {
      await start();
      const clients = await onAll("room");
      const others = clients.filter((_, i) => i !== slot);
      const { pid, incarnation } = await server.worker(slot);
      const since = Date.now();
      process.kill(pid, "SIGKILL");
      const took = await replaced(slot, pid, since);
      assert.ok(took < (sanitized ? 4000 : 1000), `replaced after ${took} ms`);
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
    let last = -1;
    while (last < 299) {
      const number = Number(await reader.next());
      assert.ok(number > last, `${number} after ${last}`);
      last = number;
    }
    assert.ok(publisher.isOpen && reader.isOpen);
    await replaced(1, pid, Date.now());
  });

  test("again and again is replaced again and again", async () => {
    await start({ workers: 2 });
    const steady = await Client.onWorker(server, 0);
    for (let i = 0; i < 4; i++) {
      const { pid } = await server.worker(1);
      process.kill(pid, "SIGKILL");
      await replaced(1, pid, Date.now());
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
    await replaced(1, pid, Date.now());
    assert.ok((await server.metric("tidewire_messages_received_total")) >= before);
    assert.equal(await server.metric("tidewire_connections"), 0);
  });

  test("resets none of the connections that waited to be accepted", async () => {
    await start({ workers: 1 });
    const { pid } = await server.worker(0);
    process.kill(pid, "SIGSTOP");
    const waiting = Array.from({ length: 20 }, () => Client.open(server));
    await new Promise((resolve) => setTimeout(resolve, 100)); // they are in the queue
    process.kill(pid, "SIGKILL");
    for (const client of await Promise.all(waiting)) {
      assert.equal(await client.value("return 7"), 7);
    }
  });

  test("with all others comes back", async () => {
    await start();
    const { workers } = await server.status();
    workers.forEach(({ pid }) => process.kill(pid, "SIGKILL"));
    await Promise.all(workers.map(({ slot, pid }) => replaced(slot, pid, Date.now())));
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
    await start({ settings: { hang: { wall: sanitized ? 3 : 1 } } });
    const clients = await onAll("room");
    const { pid } = await server.worker(1);
    process.kill(pid, "SIGSTOP");
    await replaced(1, pid, Date.now());
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
    await new Promise((resolve) => setTimeout(resolve, 300));
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
    await publish(clients[0], "room", "the last");
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
    await start({ workers: 1 });
    const client = await Client.open(server);
    client.execute("tw.sleep(1) conn:send 'done'");
    await until("the hook waits", async () => (await server.metric("tidewire_waiting_hooks")) === 1);
    assert.equal((await server.ask("/api/drain", "POST")).status, 202);
    await until("not ready", async () => (await server.ask("/ready")).status === 503);
    await assert.rejects(Client.open(server));
    await client.expectClose(1012);
    await server.ended();
    server = null;
  });

  test("a second SIGTERM ends at once", async () => {
    await start({ args: ["--drain", "60s"] });
    const client = await Client.open(server);
    client.pause(); // it will not answer the close
    client.execute("tw.sleep(20)");
    await until("the hook waits", async () => (await server.metric("tidewire_waiting_hooks")) === 1);
    const { workers } = await server.status();
    server.signal("SIGTERM");
    await server.logged(/drains/);
    const since = Date.now();
    server.signal("SIGTERM");
    await server.gone;
    assert.ok(Date.now() - since < patience(2000));
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
    await until("all are gone", () => [admin_pid, ...workers.map(({ pid }) => pid)].every((pid) => !isAlive(pid)), patience(20_000));
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
    assert.equal(await clients[0].value('return tw.channel("everybody"):count()'), 106);
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
