/* Readers that are slower than what is published to them, and the ledger of
 * what became of it. SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { Client, dropAll, LAB } from "./client.mjs";
import { Server, least, pause, until } from "./harness.mjs";

/* More than the kernel holds for a connection that is not read. */
const COUNT = 1500, SIZE = 20_000;
let server;

before(async () => {
  server = await Server.start(LAB, {
    workers: 2,
    settings: { limits: { publication_budget: "512KiB" } },
  });
});
after(() => server?.stop());
afterEach(dropAll);

const number = (message) => Number(/^\d+/.exec(message)?.[0] ?? NaN);

/* In rounds that no queue is too small for: who reads cannot fall behind,
 * however slow this process is. */
const ROUND = 20;

/* Publishes 1 to COUNT, each with some bytes behind it; `options` is Lua.
 * `read` waits for a round where it has arrived. */
async function flood(publisher, channel, options = "{}", read = async () => {}) {
  for (let from = 1; from <= COUNT; from += ROUND) {
    await publisher.evaluate(
      `local pad = (" x"):rep(${SIZE / 2})
       for i = ${from}, ${from + ROUND - 1} do
           while not tw.publish("${channel}", i .. pad, ${options}) do tw.sleep(0.01) end
       end`,
    );
    await read(ROUND);
  }
}

/* A subscriber that does not read, one that does, and a publisher. */
async function trio(channel) {
  const [slow, quick, publisher] = [await Client.open(server), await Client.open(server), await Client.open(server)];
  await slow.value(`return conn:subscribe("${channel}")`);
  await quick.value(`return conn:subscribe("${channel}")`);
  slow.pause();
  return { slow, quick, publisher };
}

async function floodTrio(channel, options) {
  const all = await trio(channel);
  const numbers = [];
  await flood(all.publisher, channel, options, async (count) => {
    numbers.push(...(await all.quick.take(count)).map(number));
  });
  assert.deepEqual(numbers, Array.from({ length: COUNT }, (_, i) => i + 1), "the quick one gets all, in order");
  return all;
}

/* Everything up to the message "end", which is published until it arrives: the
 * queue may be full at first. */
async function drain({ slow, publisher }, channel) {
  slow.resume();
  const numbers = [];
  let isOver = false;
  const ends = (async () => {
    while (!isOver) {
      await publisher.evaluate(`return tw.publish("${channel}", "end", { key = "end" })`);
      await pause(20);
    }
  })();
  for (let message; (message = await slow.next()) !== "end"; ) {
    numbers.push(number(message));
  }
  isOver = true;
  await ends;
  return numbers;
}

function assertRising(numbers) {
  numbers.forEach((value, i) => assert.ok(i === 0 || value > numbers[i - 1], `${value} after ${numbers[i - 1]}`));
}

/* What each slow policy was told. */
async function reportsOf(channel) {
  const probes = [await Client.onWorker(server, 0), await Client.onWorker(server, 1)];
  const reports = (await Promise.all(probes.map((probe) => probe.value("return tw.json.array(lab.slow)")))).flat();
  return reports.filter((report) => report.channel === channel);
}

/* DESIGN section 3: what was intended is accounted for. */
async function assertBalanced() {
  await until("the ledger balances", async () => {
    const names = ["deliveries_intended_total", "deliveries_total", "deliveries_conflated_total", "deliveries_dropped_total", "deliveries_expired_total", "deliveries_closed_total", "deliveries_queued"];
    const [intended, ...parts] = await Promise.all(names.map((name) => server.metric(`tidewire_${name}`)));
    return intended > 0 && intended === parts.reduce((a, b) => a + b, 0);
  });
}

describe("a subscriber whose queue is full", () => {
  test("of class `close` is closed with 1013, and nobody else", async () => {
    const { slow, quick } = await floodTrio("slow:close:1");
    slow.resume();
    await slow.expectClose(1013);
    assertRising((await slow.take(slow.pending)).map(number));
    assert.ok(quick.isOpen);
    await assertBalanced();
  });

  test("of no class is closed, too", async () => {
    const { slow } = await floodTrio("unclassed");
    slow.resume();
    await slow.expectClose(1013);
    await assertBalanced();
  });

  test("of class `drop_new` keeps the old and misses the new", async () => {
    /* The kernel may take something more just before the last one. */
    await least("the newest that arrived", COUNT - 1, async (trial) => {
      const channel = `slow:new:${trial}`;
      const all = await floodTrio(channel);
      const numbers = await drain(all, channel);
      assertRising(numbers);
      assert.equal(numbers[0], 1);
      assert.ok(numbers.length < COUNT, "something was dropped");
      const reports = await reportsOf(channel);
      assert.ok(reports.reduce((sum, report) => sum + report.dropped, 0) >= COUNT - numbers.length);
      assert.ok(reports[0].queued > 0);
      await assertBalanced();
      dropAll();
      return numbers.at(-1);
    });
  });

  test("of class `drop_old` gets the newest and misses older ones", async () => {
    const all = await floodTrio("slow:old:1");
    const numbers = await drain(all, "slow:old:1");
    assertRising(numbers);
    assert.ok(numbers.length < COUNT, "something was dropped");
    assert.ok(numbers.at(-1) >= COUNT - 5, `the newest was ${numbers.at(-1)}`);
    assert.ok((await reportsOf("slow:old:1")).length > 0);
    await assertBalanced();
  });

  test("of class `conflate` gets the newest of each key", async () => {
    const all = await floodTrio("slow:conflate:1", '{ key = "k" .. i % 4 }');
    const numbers = await drain(all, "slow:conflate:1");
    assert.ok(numbers.length < COUNT, "something was conflated");
    assert.deepEqual(numbers.slice(-4).sort((a, b) => a - b), [COUNT - 3, COUNT - 2, COUNT - 1, COUNT]);
    for (let key = 0; key < 4; key++) {
      assertRising(numbers.filter((value) => value % 4 === key));
    }
    await assertBalanced();
  });

  test("of class `conflate` without keys gets the newest", async () => {
    const all = await floodTrio("slow:conflate:2");
    const numbers = await drain(all, "slow:conflate:2");
    assertRising(numbers);
    assert.equal(numbers.at(-1), COUNT);
    assert.ok(numbers.length < COUNT);
    await assertBalanced();
  });
});

describe("a publication with a ttl", () => {
  test("is not delivered when it is older", async () => {
    const { slow, publisher } = await trio("slow:old:ttl");
    await flood(publisher, "slow:old:ttl", "{ ttl = 0.05 }");
    await publisher.evaluate("tw.sleep(0.1)");
    const numbers = await drain({ slow, publisher }, "slow:old:ttl");
    assertRising(numbers);
    assert.ok(numbers.length < COUNT);
    assert.ok((await server.metric("tidewire_deliveries_expired_total")) > 0);
    await assertBalanced();
  });

  test("is delivered when there is time", async () => {
    const client = await Client.open(server);
    await client.value('return conn:subscribe("ttl")');
    await client.value('return tw.publish("ttl", "fresh", { ttl = 300 })');
    await client.expect("fresh");
  });
});

describe("replies", () => {
  test("that are not read stop the reading, and none is lost", async () => {
    const [slow, other] = [await Client.open(server), await Client.open(server)];
    slow.pause();
    const pad = "r".repeat(500_000);
    for (let i = 0; i < 60; i++) {
      slow.send(`${i} ${pad}`);
    }
    for (let i = 0; i < 20; i++) {
      await other.send(`${i}`).expect(`${i}`);
    }
    slow.resume();
    for (let i = 0; i < 60; i++) {
      assert.equal(number(await slow.next()), i);
    }
    await slow.expectNone();
  });

  test("beyond the budget are answered 'overloaded'", async () => {
    const client = await Client.open(server);
    client.pause();
    client.execute(`lab.sent, lab.err = 0, nil
      local pad = ("x"):rep(500000)
      for i = 1, 200 do
          local ok, err = conn:send(pad)
          if not ok then lab.err = err.code break end
          lab.sent = i
      end
      lab.worker = tw.worker`);
    const probes = [await Client.onWorker(server, 0), await Client.onWorker(server, 1)];
    const find = async () => {
      for (const probe of probes) {
        const [err, sent] = await probe.evaluate("return lab.err, lab.sent");
        if (err) {
          return [err, sent];
        }
      }
      return null;
    };
    const [err, sent] = await until("the send fails", find);
    assert.equal(err, "overloaded");
    client.resume();
    for (let i = 0; i < sent; i++) {
      assert.equal((await client.next()).length, 500_000);
    }
    await client.send("well").expect("well");
  });
});

describe("no progress", () => {
  test("for too long closes the connection", async () => {
    const short = await Server.start(LAB, { settings: { limits: { stall: 0.5 } } });
    const [slow, probe] = [await Client.open(short), await Client.open(short)];
    const id = await slow.value("return conn.id");
    slow.pause();
    slow.execute('local pad = ("x"):rep(500000) for i = 1, 60 do if not conn:send(pad) then return end end');
    await until("on_close ran", async () => {
      const [closed] = await probe.evaluate("return tw.json.array(lab.closed)");
      return closed.some((call) => call.id === id);
    });
    assert.ok((await short.metric("tidewire_connections_closed_slow_total")) >= 1);
    dropAll();
    await short.stop();
  });
});
