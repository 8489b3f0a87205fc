/* example-guard.test.mjs - the example guard: what Redis and a moderation
 * service say of a message, in what order, and what happens without them.
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { Client, dropAll, Refused } from "./client.mjs";
import { assertShows } from "./examples.mjs";
import { run, Server, source, until } from "./harness.mjs";
import { Redis } from "./redis.mjs";

const FOLDER = `${source}/examples/guard`;

const later = [];
let redis;
before(async () => {
  redis = await Redis.start();
});
after(() => redis?.stop());
beforeEach(() => redis.cli("FLUSHALL"));
afterEach(async () => {
  dropAll();
  for (const undo of later.splice(0).reverse()) {
    await undo();
  }
});

/* A moderation service in the test's hands: `asked` are the texts that came, and
 * each is answered as `answer(text)` says: a status and a body, when it says so. */
class Moderation {
  asked = [];
  answer = (text) => [200, { allow: !text.includes("rude"), why: "not that" }];
  #server = createServer({ keepAliveTimeout: 1 }, (req, res) => {
    let body = "";
    req.setEncoding("utf8").on("data", (text) => (body += text)).on("end", async () => {
      const { text } = JSON.parse(body);
      this.asked.push(text);
      const [status, said] = await this.answer(text);
      res.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(said));
    });
  });

  static async start() {
    const moderation = new Moderation();
    moderation.#server.listen(0, "127.0.0.1");
    await once(moderation.#server, "listening");
    moderation.url = `http://127.0.0.1:${moderation.#server.address().port}/check`;
    later.push(() => moderation.stop());
    return moderation;
  }

  stop() {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(resolve));
  }
}

/* Patient with both, and for as long as a test takes nobody gives up. */
async function serve({ url }, { of = redis, limits = {}, ...guard } = {}) {
  const settings = {
    limits,
    redis: { guard: { url: of.url, timeout: 60, dead: 60, connect: 60 } },
    config: { guard: { moderation: url, timeout: 60, ...guard } },
  };
  const server = await Server.start(`${FOLDER}/main.lua`, { workers: 2, settings });
  later.push(() => server.stop());
  return server;
}

async function hears(client, type) {
  const message = JSON.parse(await client.next());
  assert.equal(message.type, type, JSON.stringify(message));
  return message;
}

async function enter(server, name, since) {
  const client = await Client.open(server, `/room/tea?name=${name}`);
  client.send(JSON.stringify({ type: "hello", since }));
  return { client, welcome: await hears(client, "welcome") };
}

const say = (client, text, ref = text) => client.send(JSON.stringify({ type: "say", text, ref: ref.replaceAll(" ", "").slice(0, 32) }));

async function answer(client, text, type) {
  say(client, text);
  return hears(client, type);
}

describe("a message", () => {
  test("is told to all when both say that it may be, with the time that each took", async () => {
    const moderation = await Moderation.start();
    const server = await serve(moderation);
    const [{ client: ada }, { client: bob }] = [await enter(server, "ada"), await enter(server, "bob")];
    say(ada, "hello");
    for (const client of [ada, bob]) {
      const { name, text, ref, took, unchecked } = await hears(client, "said");
      assert.deepEqual([name, text, ref, unchecked], ["ada", "hello", "hello", undefined]);
      assert.ok(took.redis > 0 && took.moderation > 0, JSON.stringify(took));
    }
    assert.deepEqual(moderation.asked, ["hello"]);
  });

  test("is refused when the service says so", async () => {
    const server = await serve(await Moderation.start());
    const [{ client: ada }, { client: bob }] = [await enter(server, "ada"), await enter(server, "bob")];
    const { code, text, ref } = await answer(ada, "rude words", "refused");
    assert.deepEqual([code, text, ref], ["moderated", "not that", "rudewords"]);
    await answer(ada, "kind words", "said");
    assert.equal((await hears(bob, "said")).text, "kind words");
  });

  test("of somebody who is banned is refused, from that moment on and until it ends", async () => {
    const server = await serve(await Moderation.start());
    const { client } = await enter(server, "mallory");
    await answer(client, "one", "said");
    await redis.cli("SADD", "guard:banned", "mallory");
    assert.equal((await answer(client, "two", "refused")).code, "banned");
    await redis.cli("SREM", "guard:banned", "mallory");
    await answer(client, "three", "said");
  });

  test("is one too many for all servers of that Redis together", async () => {
    const moderation = await Moderation.start();
    const [one, two] = [await serve(moderation, { most: 3 }), await serve(moderation, { most: 3 })];
    const [{ client: here }, { client: there }] = [await enter(one, "ada"), await enter(two, "ada")];
    /* A window may end in between, but not each time. */
    await until("the fourth in a window is refused", async () => {
      const codes = [];
      for (const client of [here, there, here, there]) {
        say(client, "x", Math.random().toString(36).slice(2));
        codes.push(JSON.parse(await client.next()).code);
      }
      return codes[3] === "too_fast";
    });
    assert.match(await redis.cli("KEYS", "guard:count:*"), /^guard:count:ada:\d+/);
  });

  test("keeps its place among those of its speaker, however long each check takes", async () => {
    const moderation = await Moderation.start();
    const opened = {};
    moderation.answer = (text) => new Promise((resolve) => (opened[text] = () => resolve([200, { allow: true }])));
    const server = await serve(moderation);
    const [{ client: ada }, { client: bob }] = [await enter(server, "ada"), await enter(server, "bob")];
    say(ada, "first");
    say(ada, "second");
    await until("the first is being checked", () => opened.first);
    say(bob, "quick");
    await until("bob's is being checked meanwhile", () => opened.quick);
    opened.quick();
    assert.equal((await hears(ada, "said")).text, "quick", "ada's check holds up nobody else");
    assert.equal(opened.second, undefined, "ada's second waits for her first");
    opened.first();
    await until("the second is being checked", () => opened.second);
    opened.second();
    for (const text of ["first", "second"]) {
      assert.equal((await hears(ada, "said")).text, text);
    }
    assert.deepEqual(["quick", "first", "second"], [(await hears(bob, "said")).text, (await hears(bob, "said")).text, (await hears(bob, "said")).text]);
  });

  test("waits for both at the same time, not for one after the other", async () => {
    const moderation = await Moderation.start();
    let open;
    moderation.answer = () => new Promise((resolve) => (open = () => resolve([200, { allow: true }])));
    const server = await serve(moderation);
    const { client } = await enter(server, "ada");
    redis.signal("SIGSTOP");
    try {
      say(client, "hello");
      await until("the service is asked while Redis hangs", () => open);
    } finally {
      redis.signal("SIGCONT");
    }
    await until("Redis has counted it while the service thinks", async () => (await redis.cli("KEYS", "guard:count:ada:*")) !== "");
    open();
    await hears(client, "said");
  });

  test("that is sent again is said once", async () => {
    const server = await serve(await Moderation.start());
    const { client } = await enter(server, "ada");
    say(client, "one", "r1");
    say(client, "one", "r1");
    say(client, "two", "r2");
    assert.deepEqual([(await hears(client, "said")).ref, (await hears(client, "said")).ref], ["r1", "r2"]);
  });

  test("has to be one, and a name too", async () => {
    const server = await serve(await Moderation.start());
    const { client } = await enter(server, "ada");
    for (const text of ["", " \n", "é".repeat(501), 7, undefined]) {
      client.send(JSON.stringify({ type: "say", text, ref: "r" }));
      assert.equal((await hears(client, "refused")).code, "invalid");
    }
    say(client, "é".repeat(500), "long");
    await hears(client, "said");
    for (const wrong of ["x", '{"type":"shout"}', '{"type":"say","text":"no reference"}']) {
      const { client: one } = await enter(server, "bob");
      await hears(one, "said");
      one.send(wrong);
      await one.expectClose(1008);
    }
    for (const path of ["/room/tea", "/room/tea?name=a%20b", `/room/tea?name=${"x".repeat(25)}`, "/room/%7Bx%7D?name=ada"]) {
      await assert.rejects(Client.open(server, path), (error) => error instanceof Refused && error.status === 400, path);
    }
  });
});

describe("without the service", () => {
  const few = { http_failures: 2, http_pause: 60 };

  test("messages pass, marked; after some failures it is not asked any more", async () => {
    const moderation = await Moderation.start();
    const server = await serve(moderation, { limits: few });
    const { client } = await enter(server, "ada");
    moderation.answer = () => [503, {}];
    for (const text of ["one", "two", "three", "four"]) {
      assert.deepEqual((await answer(client, text, "said")).unchecked, ["moderation"]);
    }
    assert.ok(moderation.asked.length < 4, `asked ${moderation.asked.length} times: the breaker is open`);
    await server.logged(/not moderated.*left alone/);
    await redis.cli("SADD", "guard:banned", "ada");
    assert.equal((await answer(client, "five", "refused")).code, "banned", "Redis is still asked");
  });

  test("messages are refused where that is wanted", async () => {
    const moderation = await Moderation.start();
    const server = await serve(moderation, { limits: few, without_moderation: "refuse" });
    assert.deepEqual(await (await fetch(`http://127.0.0.1:${server.port}/policy`)).json(), { redis: "refuse", moderation: "refuse" });
    const { client } = await enter(server, "ada");
    await moderation.stop();
    for (const text of ["one", "two", "three"]) {
      assert.equal((await answer(client, text, "refused")).code, "unavailable");
    }
  });

  test("an answer that says nothing is none, and it is asked again once it is back", async () => {
    const moderation = await Moderation.start();
    const server = await serve(moderation);
    const { client } = await enter(server, "ada");
    for (const [status, body] of [[200, {}], [200, []], [404, { allow: true }], [200, { allow: "yes" }]]) {
      moderation.answer = () => [status, body];
      assert.deepEqual((await answer(client, `${status}${JSON.stringify(body)}`, "said")).unchecked, ["moderation"]);
    }
    moderation.answer = () => [200, { allow: false }];
    assert.equal((await answer(client, "back", "refused")).text, "That is not said here.");
  });
});

describe("without Redis", () => {
  test("messages are refused, and said again when it is back", async () => {
    const own = await Redis.start();
    later.push(() => own.stop());
    const server = await serve(await Moderation.start(), { of: own });
    const { client } = await enter(server, "ada");
    await answer(client, "one", "said");
    await own.kill();
    const { code, text } = await answer(client, "two", "refused");
    assert.deepEqual([code, text], ["unavailable", "Nobody can check that now. Try again in a moment."]);
    await own.begin();
    await until("it is back", async () => {
      say(client, "three", Math.random().toString(36).slice(2));
      return JSON.parse(await client.next()).type === "said";
    });
  });

  test("messages pass where that is wanted, marked", async () => {
    const own = await Redis.start();
    later.push(() => own.stop());
    const server = await serve(await Moderation.start(), { of: own, without_redis: "pass" });
    const { client } = await enter(server, "ada");
    await own.kill();
    assert.deepEqual((await answer(client, "one", "said")).unchecked, ["redis"]);
    assert.equal((await answer(client, "rude", "refused")).code, "moderated", "the service is still asked");
  });
});

describe("a page that comes back", () => {
  test("gets what was said meanwhile, after a reload too", async () => {
    const server = await serve(await Moderation.start());
    const { client: ada, welcome } = await enter(server, "ada");
    const { client: bob } = await enter(server, "bob");
    await answer(ada, "one", "said");
    await hears(bob, "said");
    await bob.close();
    assert.equal((await server.reload()).status, 200);
    await answer(ada, "two", "said");
    const back = await enter(server, "bob", { epoch: welcome.position.epoch, offset: 1 });
    assert.deepEqual([back.welcome.position.offset, back.welcome.position.count], [2, 1]);
    assert.equal((await hears(back.client, "said")).text, "two");
    const late = await enter(server, "eve", { epoch: "another", offset: 7 });
    assert.equal(late.welcome.position.count, 2, "what there is");
  });
});

test("the stand-in for the service answers as the service would", async () => {
  const settings = { config: { words: ["spam"], delay: 0.001 } };
  const standIn = await Server.start(`${FOLDER}/moderation.lua`, { settings });
  later.push(() => standIn.stop());
  const server = await serve({ url: `http://127.0.0.1:${standIn.port}/check` });
  const { client } = await enter(server, "ada");
  await answer(client, "hello", "said");
  const { code, text } = await answer(client, "Buy SPAM now", "refused");
  assert.deepEqual([code, text], ["moderated", "'spam' is not said here."]);
  assert.equal((await fetch(`http://127.0.0.1:${standIn.port}/check`, { method: "POST", body: "x" })).status, 400);
});

for (const [script, config] of [["main", "config"], ["moderation", "moderation.config"]]) {
  test(`${config}.lua passes the check`, async () => {
    const { code, stderr } = await run(["check", `${FOLDER}/${script}.lua`, "--config", `${FOLDER}/${config}.lua`]);
    assert.deepEqual([code, stderr], [0, ""]);
  });
}

test("its guide shows the code that runs", () => assertShows("docs/how-to/guard-messages.md", "guard"));

test("its own tests pass", async () => {
  const { code, stdout, stderr } = await run(["test", `${FOLDER}/main_test.lua`]);
  assert.equal(code, 0, stdout + stderr);
});
