/* Compression with another implementation at the other end (npm ws), and what
 * it does to channels where only some have it.
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { Client, dropAll, LAB } from "./client.mjs";
import { Server, pause, until } from "./harness.mjs";

let server;
before(async () => {
  server = await Server.start(LAB, { workers: 2, settings: { limits: { publication_budget: "256KiB" } } });
});
after(() => server?.stop());
afterEach(dropAll);

/* The client compresses whatever it sends. */
const DEFLATE = { perMessageDeflate: { threshold: 0 } };
const openDeflating = (options = DEFLATE) => Client.open(server, "/", options);
const openPlain = () => Client.open(server, "/");
const long = (word, size = 5000) => `${word} `.repeat(size).slice(0, size);

/* A total over the workers. */
async function total(name) {
  const { body } = await server.ask("/metrics");
  const samples = [...body.matchAll(new RegExp(`^tidewire_${name}\\{.*\\} (\\d+)$`, "gm"))];
  assert.notEqual(samples.length, 0, name);
  return samples.reduce((sum, [, value]) => sum + Number(value), 0);
}

async function subscribe(client, channel) {
  await client.value(`return conn:subscribe("${channel}")`);
  return client;
}

const publish = (client, channel, text, options = "{}") => client.value(`return tw.publish("${channel}", [==[${text}]==], ${options})`);

describe("both ways", () => {
  const ways = {
    "as it comes": DEFLATE,
    "with the least window of its own": { perMessageDeflate: { threshold: 0, clientMaxWindowBits: 9 } },
    "with the largest window of the server named": { perMessageDeflate: { threshold: 0, serverMaxWindowBits: 15 } },
    "asking for no takeover": { perMessageDeflate: { threshold: 0, clientNoContextTakeover: true, serverNoContextTakeover: true } },
  };
  for (const [how, options] of Object.entries(ways)) {
    test(`a client echoes messages of all sizes, ${how}`, async () => {
      const client = await openDeflating(options);
      const [deflated, inflated] = [await total("deflated_frames_total"), await total("inflated_messages_total")];
      for (const size of [0, 1, 125, 126, 1023, 1024, 65536, 1_000_000]) {
        client.send(long(`tide ${size}`, size));
        assert.equal(await client.next(), long(`tide ${size}`, size));
        client.send(Buffer.from(long(`wire ${size}`, size)));
        assert.deepEqual(await client.next(), Buffer.from(long(`wire ${size}`, size)));
      }
      await until("6 frames compressed", async () => (await total("deflated_frames_total")) >= deflated + 6);
      await until("all messages expanded", async () => (await total("inflated_messages_total")) >= inflated + 14);
    });
  }

  test("a client that demands a small window is served without", async () => {
    const client = await openDeflating({ perMessageDeflate: { threshold: 0, serverMaxWindowBits: 9 } });
    client.send(long("plain"));
    await client.expect(long("plain"));
  });

  test("a bomb closes its connection with 1009 and is counted", async () => {
    const client = await openDeflating();
    const refused = await total("inflate_refused_total");
    client.send(Buffer.alloc(4 << 20));
    await client.expectClose(1009, "message too big");
    await until("it is counted", async () => (await total("inflate_refused_total")) === refused + 1);
  });
});

describe("a channel of both kinds", () => {
  async function crowd(channel) {
    const clients = [];
    for (const open of [openDeflating, openPlain, openDeflating, openPlain]) {
      clients.push(await subscribe(await open(), channel));
    }
    return clients;
  }

  test("all get the same, in order, whatever the size", async () => {
    const clients = await crowd("mixed:order");
    const texts = Array.from({ length: 50 }, (_, i) => long(`${i}`, i % 3 === 0 ? 20 : 300 * i));
    for (const text of texts) {
      await publish(clients[0], "mixed:order", text);
    }
    for (const client of clients) {
      await client.expect(...texts);
    }
  });

  test("who is excepted gets none, of either kind", async () => {
    const clients = await crowd("mixed:except");
    for (const client of clients) {
      await publish(client, "mixed:except", long("not mine"), "{ except = conn }");
    }
    await publish(clients[0], "mixed:except", "end");
    for (const client of clients) {
      await client.expect(long("not mine"), long("not mine"), long("not mine"), "end");
    }
  });

  test("a channel that gathers delivers all in one batch", async () => {
    const clients = await crowd("batch:mixed");
    await clients[1].value(`for i = 1, 20 do tw.publish("batch:mixed", i .. (" tide"):rep(i * 40)) end return true`);
    const texts = Array.from({ length: 20 }, (_, i) => `${i + 1}${" tide".repeat((i + 1) * 40)}`);
    for (const client of clients) {
      await client.expect(...texts);
    }
  });

  test("what has expired reaches nobody", async () => {
    const clients = await crowd("batch:ttl");
    await clients[0].value(
      `tw.publish("batch:ttl", ("late "):rep(500), { ttl = 0.001 })
       tw.publish("batch:ttl", ("end "):rep(500))
       return true`,
    );
    for (const client of clients) {
      await client.expect("end ".repeat(500));
    }
  });

  test("a publication is compressed once for each worker", async () => {
    const counted = await total("deflated_frames_total");
    const clients = [];
    for (let i = 0; i < 12; i++) {
      clients.push(await subscribe(await Client.onWorker(server, i % 2, "/", DEFLATE), "mixed:once"));
    }
    await publish(clients[0], "mixed:once", long("once", 900));
    for (const client of clients) {
      await client.expect(long("once", 900));
    }
    await until("two frames", async () => (await total("deflated_frames_total")) === counted + 2);
  });
});

describe("a reader that is slow", () => {
  /* What compresses little: it is the frames as sent that fill a queue. */
  const noise = `local t = {} for i = 1, 2500 do t[i] = string.format("%08x", math.random(0, 2^31)) end local pad = table.concat(t)`;
  const COUNT = 1000;

  async function flood(policy, options = "{}") {
    const channel = `slow:${policy}:deflate`;
    const slow = await subscribe(await openDeflating(), channel);
    const quick = await subscribe(await openDeflating(), channel);
    const publisher = await openPlain();
    slow.pause();
    for (let i = 1; i <= COUNT; i += 10) {
      await publisher.value(`${noise} for i = ${i}, ${i + 9} do while not tw.publish("${channel}", i .. " " .. pad, ${options}) do tw.sleep(0.01) end end return true`);
      for (const message of await quick.take(10)) {
        assert.ok(message.length > 20_000);
      }
    }
    return { slow, publisher, channel };
  }

  async function drain({ slow, publisher, channel }) {
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
      numbers.push(parseInt(message));
    }
    isOver = true;
    await ends;
    assert.deepEqual(numbers, [...numbers].sort((a, b) => a - b), "in order");
    return numbers;
  }

  test("is closed by the policy close", async () => {
    const { slow } = await flood("close");
    slow.resume();
    await slow.expectClose(1013);
  });

  test("loses the newest by drop_new and every frame expands", async () => {
    const numbers = await drain(await flood("new"));
    assert.ok(numbers.length < COUNT);
    assert.equal(numbers[0], 1);
  });

  test("loses older ones by drop_old and every frame expands", async () => {
    const numbers = await drain(await flood("old"));
    assert.ok(numbers.length < COUNT);
    assert.equal(numbers.at(-1), COUNT);
  });

  test("gets the newest of a key by conflate and every frame expands", async () => {
    const numbers = await drain(await flood("conflate", '{ key = "k" }'));
    assert.ok(numbers.length < COUNT);
    assert.equal(numbers.at(-1), COUNT);
  });
});
