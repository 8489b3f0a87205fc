/* cli-new.test.mjs - what tidewire new makes runs as it is.
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { afterEach, beforeEach, describe, test } from "node:test";
import { Client, dropAll, Refused } from "./client.mjs";
import { run, Scripts, Server, source } from "./harness.mjs";

const TEMPLATES = ["chat", "dashboard", "notify"];

let place, servers;
beforeEach(() => {
  place = new Scripts({});
  servers = [];
});
afterEach(async () => {
  dropAll();
  for (const server of servers) {
    await server.stop();
  }
  place.remove();
});

const make = (...args) => run(["new", ...args], { cwd: place.folder });

async function made(template) {
  const { code, stderr } = await make(template, "mine");
  assert.equal(code, 0, stderr);
  return place.path("mine");
}

/* Its configuration is given as an argument: that of the harness would be
 * instead of it. */
async function serve(folder) {
  const settings = { files: ["/proc/loadavg"], config: { push_key: "for-development" } };
  const server = await Server.start(`${folder}/main.lua`, { workers: 2, settings });
  servers.push(server);
  return server;
}

function* filesBelow(folder) {
  for (const name of readdirSync(folder)) {
    const path = `${folder}/${name}`;
    if (statSync(path).isDirectory()) {
      yield* filesBelow(path);
    } else {
      yield path;
    }
  }
}

const json = (client) => client.next().then(JSON.parse);

async function page(server) {
  const answer = await fetch(`http://127.0.0.1:${server.port}/`);
  assert.equal(answer.status, 200);
  const text = await answer.text();
  assert.match(text, /<title>mine<\/title>/);
}

describe("tidewire new", () => {
  test("has these templates", () => assert.deepEqual(readdirSync(`${source}/lua/program/templates`).sort(), TEMPLATES));

  for (const template of TEMPLATES) {
    test(`${template}: it passes the check, with its configuration and without`, async () => {
      const folder = await made(template);
      const end = await run(["check", "--config", "config.lua"], { cwd: folder });
      assert.equal(end.code, 0, end.stderr);
      assert.match(end.stdout, /^main\.lua: ok, /);
      const all = [...filesBelow(folder)];
      assert.ok(all.length >= 4);
      for (const path of all) {
        assert.doesNotMatch(readFileSync(path, "utf8"), /@NAME@/, path);
      }
    });
  }

  for (const template of TEMPLATES) {
    test(`${template}: its own tests pass at once`, async () => {
      const folder = await made(template);
      const end = await run(["test", "main_test.lua"], { cwd: folder });
      assert.equal(end.code, 0, end.stdout + end.stderr);
      assert.match(end.stdout, /^main_test\.lua\n {2}ok /);
      assert.match(end.stdout, /\n[1-9]\d* passed, 0 failed in /);
    });
  }

  test("chat: two people talk, and a third reads what was said", async () => {
    const server = await serve(await made("chat"));
    await page(server);
    const ada = await Client.open(server, "/chat/tea?name=ada");
    assert.deepEqual([(await json(ada)).type], ["join"]);
    const bob = await Client.open(server, "/chat/tea?name=bob");
    assert.equal((await json(ada)).name, "bob");
    assert.deepEqual([await json(bob), await json(bob)].map(({ name }) => name), ["ada", "bob"]);
    bob.send(JSON.stringify({ text: "hello" }));
    for (const one of [ada, bob]) {
      const { type, name, text } = await json(one);
      assert.deepEqual([type, name, text], ["say", "bob", "hello"]);
    }
    const eve = await Client.open(server, "/chat/tea?name=eve");
    const kept = [await json(eve), await json(eve), await json(eve)].map(({ type }) => type);
    assert.deepEqual(kept, ["join", "join", "say"]);
    await assert.rejects(Client.open(server, "/chat/tea"), Refused);
  });

  test("dashboard: a viewer gets figures", async () => {
    const server = await serve(await made("dashboard"));
    await page(server);
    const viewer = await Client.open(server, "/figures");
    const names = new Set();
    while (names.size < 2) {
      const { name, value } = await json(viewer);
      assert.equal(typeof value, "number");
      names.add(name);
    }
    assert.deepEqual([...names].sort(), ["connections", "load"]);
  });

  test("notify: a backend reaches who is there, and who comes later", async () => {
    const server = await serve(await made("notify"));
    await page(server);
    const post = (body, headers = {}) => fetch(`http://127.0.0.1:${server.port}/notify/ada`, { method: "POST", body, headers: { authorization: "Bearer for-development", ...headers } });
    const phone = await Client.open(server, "/device?user=ada");
    const welcome = await json(phone);
    assert.deepEqual([welcome.type, welcome.offset], ["welcome", 0]);
    assert.equal((await post("one", { "idempotency-key": "1" })).status, 202);
    assert.equal((await json(phone)).text, "one");
    assert.equal((await post("one", { "idempotency-key": "1" })).status, 202); // not sent again
    assert.deepEqual(await (await post("two")).json(), { epoch: welcome.epoch, offset: 2 });
    assert.equal((await json(phone)).text, "two");

    const back = await Client.open(server, `/device?user=ada&epoch=${encodeURIComponent(welcome.epoch)}&offset=1`);
    const first = await json(back), second = await json(back);
    const [again, note] = first.type === "welcome" ? [first, second] : [second, first];
    assert.deepEqual([again.type, again.offset, again.missed, note.text], ["welcome", 1, false, "two"]);

    assert.equal((await post("no", { authorization: "Bearer x" })).status, 401);
    assert.equal((await post("")).status, 400);
    await assert.rejects(Client.open(server, "/device"), Refused);
  });

  test("never writes into what is there", async () => {
    place.write("mine/main.lua", "precious");
    const { code, stderr } = await make("chat", "mine");
    assert.equal(code, 1);
    assert.match(stderr, /mine: File exists/);
    assert.deepEqual(readdirSync(place.path("mine")), ["main.lua"]);
    assert.equal(readFileSync(place.path("mine/main.lua"), "utf8"), "precious");
  });

  test("takes no name that leads elsewhere", async () => {
    for (const name of ["../x", "a/b", ".hidden", "", "1st", "<b>", "a\nb", "x".repeat(65)]) {
      const { code, stderr } = await make("chat", name);
      assert.equal(code, 2, name);
      assert.match(stderr, /is no name for a project/);
    }
    assert.deepEqual(readdirSync(place.folder), []);
    assert.ok(!existsSync(place.path("../x")));
  });

  test("names the nearest template, and all there are", async () => {
    const { code, stderr } = await make("dashbord", "mine");
    assert.equal(code, 2);
    assert.match(stderr, /no template 'dashbord'; did you mean 'dashboard'\?\n.*chat, dashboard, notify/);
    assert.equal((await make("../install", "mine")).code, 2);
    assert.equal((await make("chat")).code, 2);
    assert.equal((await make("chat", "a", "b")).code, 2);
    assert.equal((await make("--fast", "chat", "a")).code, 2);
    assert.deepEqual(readdirSync(place.folder), []);
  });

  test("has a help of its own", async () => {
    const { code, stdout } = await run(["new", "--help"]);
    assert.equal(code, 0);
    assert.match(stdout, /^tidewire new - .*\n\nUsage: tidewire new .*TEMPLATE NAME/);
    assert.equal((await run(["help", "new"])).stdout, stdout);
  });
});
