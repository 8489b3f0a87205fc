/* example-notify.test.mjs - the example notify: what backends send reaches all
 * devices of a user, at once or later, and what is read is told to all.
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { afterEach, describe, test } from "node:test";
import { Client, dropAll, Refused } from "./client.mjs";
import { run, Server, source, until } from "./harness.mjs";
import { assertShows } from "./examples.mjs";

const FOLDER = `${source}/examples/notify`;
const SECRET = "s".repeat(32);

const later = [];

afterEach(async () => {
  dropAll();
  for (const undo of later.splice(0).reverse()) {
    await undo();
  }
});

async function serve({ receipts, workers = 2, settings = {}, ...config } = {}) {
  const senders = { shop: { key: "shop-key", ...(receipts && { receipts }) }, bank: { key: "bank-key" } };
  const server = await Server.start(`${FOLDER}/main.lua`, { workers, settings: { ...settings, config: { senders, secret: SECRET, dev_login: true, ...config } } });
  later.push(() => server.stop());
  return server;
}

const at = (server, path) => `http://127.0.0.1:${server.port}${path}`;

async function request(server, method, path, { key = "shop-key", body, headers = {} } = {}) {
  const answer = await fetch(at(server, path), { method, headers: { ...(key && { authorization: `Bearer ${key}` }), ...headers }, body: body && JSON.stringify(body) });
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, body: text ? JSON.parse(text) : null };
}

const post = (server, user, id, more = {}) => request(server, "POST", `/notes/${user}`, { body: { id, title: `title of ${id}` }, ...more });
const ask = (server, user, id, more) => request(server, "GET", `/notes/${user}/${id}`, more);

/* The cookie that a browser would keep. */
async function login(server, user) {
  const { status, headers } = await request(server, "POST", "/login", { key: null, body: { user } });
  assert.equal(status, 200);
  const cookie = headers.get("set-cookie");
  assert.match(cookie, /; HttpOnly; SameSite=Strict$/);
  return cookie.split(";")[0];
}

async function device(server, user, since) {
  const client = await Client.open(server, "/device", { headers: { cookie: await login(server, user) } });
  client.send(JSON.stringify({ type: "hello", since }));
  const position = await hears(client, "welcome").then((message) => message.position);
  return { client, position };
}

/* The next message, which must be of that type. */
async function hears(client, type) {
  const message = JSON.parse(await client.next());
  assert.equal(message.type, type, JSON.stringify(message));
  return message;
}

const mark = (client, ...ids) => client.send(JSON.stringify({ type: "read", ids }));

describe("a note", () => {
  test("reaches all devices of the user, in the same order, and nobody else", async () => {
    const server = await serve();
    const [phone, laptop, other] = [await device(server, "ada"), await device(server, "ada"), await device(server, "bob")];
    for (const id of ["one", "two", "three"]) {
      const { status, body, headers } = await post(server, "ada", id);
      assert.equal(status, 202);
      assert.equal(typeof body.at, "number");
      assert.equal(headers.get("location"), `/notes/ada/${id}`);
    }
    for (const { client } of [phone, laptop]) {
      for (const id of ["one", "two", "three"]) {
        const note = await hears(client, "note");
        assert.deepEqual([note.stream, note.id, note.from, note.title, note.text], ["notes", `shop/${id}`, "shop", `title of ${id}`, ""]);
      }
    }
    await other.client.expectNone();
  });

  test("waits for a device that comes later, and one that comes back gets what it missed", async () => {
    const server = await serve();
    await post(server, "ada", "one");
    const first = await device(server, "ada");
    assert.deepEqual([first.position.offset, first.position.count], [1, 1]);
    assert.equal((await hears(first.client, "note")).id, "shop/one");
    await first.client.close();
    await post(server, "ada", "two");
    await post(server, "ada", "three");
    const back = await device(server, "ada", { epoch: first.position.epoch, offset: 1 });
    assert.deepEqual([back.position.offset, back.position.count], [3, 2]);
    assert.deepEqual([(await hears(back.client, "note")).id, (await hears(back.client, "note")).id], ["shop/two", "shop/three"]);
    const lost = await device(server, "ada", { epoch: "another", offset: 2 });
    assert.deepEqual([lost.position.epoch, lost.position.count], [first.position.epoch, 3], "what there is");
  });

  test("that is sent again is published once, and stays the same note", async () => {
    const server = await serve();
    const { client } = await device(server, "ada");
    const first = await post(server, "ada", "one");
    const again = await Promise.all([post(server, "ada", "one"), post(server, "ada", "one")]);
    for (const { status, body } of again) {
      assert.deepEqual([status, body], [202, first.body]);
    }
    await post(server, "ada", "one", { key: "bank-key" }); // another sender's is another note
    assert.equal((await hears(client, "note")).id, "shop/one");
    assert.equal((await hears(client, "note")).id, "bank/one");
    await client.expectNone();
  });

  test("has to be one, from somebody with a key", async () => {
    const server = await serve();
    for (const key of [null, "wrong", "", "shop-ke", "shop-keyy"]) {
      assert.equal((await post(server, "ada", "one", { key })).status, 401);
      assert.equal((await ask(server, "ada", "one", { key })).status, 401);
    }
    for (const body of [{ title: "no id" }, { id: "a b", title: "t" }, { id: "x".repeat(65), title: "t" }, { id: "a" }, { id: "a", title: "" }, { id: "a", title: 1 }, { id: "a", title: "é".repeat(121) }, { id: "a", title: "t", text: "x".repeat(2001) }, [1]]) {
      assert.equal((await request(server, "POST", "/notes/ada", { body })).status, 400, JSON.stringify(body));
    }
    assert.equal((await post(server, "a%20b", "one")).status, 400);
    assert.equal((await post(server, "ada", "one")).status, 202);
    assert.equal((await ask(server, "ada", "two")).status, 404);
    assert.equal((await ask(server, "bob", "one")).status, 404);
    assert.equal((await ask(server, "ada", "one", { key: "bank-key" })).status, 404, "not its own");
  });

  test("too many of a sender are refused, and the others' are not", async () => {
    const server = await serve({ rate: { rate: 0.001, burst: 2 } });
    const answers = [await post(server, "ada", "one"), await post(server, "ada", "two"), await post(server, "ada", "three")];
    assert.deepEqual(answers.map(({ status }) => status), [202, 202, 429]);
    assert.match(answers[2].headers.get("retry-after"), /^[1-9]\d*$/);
    assert.equal((await post(server, "ada", "one", { key: "bank-key" })).status, 202);
  });
});

describe("what is read", () => {
  test("is read on all devices, on those that come later, and for the backend", async () => {
    const server = await serve();
    const [phone, laptop] = [await device(server, "ada"), await device(server, "ada")];
    await post(server, "ada", "one");
    await post(server, "ada", "two");
    for (const { client } of [phone, laptop]) {
      await hears(client, "note");
      await hears(client, "note");
    }
    assert.equal((await ask(server, "ada", "one")).body.read, undefined);
    mark(phone.client, "shop/one");
    for (const { client } of [phone, laptop]) {
      const { ids, stream } = await hears(client, "read");
      assert.deepEqual([ids, stream], [["shop/one"], "notes"]);
    }
    const { body } = await ask(server, "ada", "one");
    assert.ok(body.read >= body.at);
    assert.equal((await ask(server, "ada", "two")).body.read, undefined);
    const tablet = await device(server, "ada");
    assert.deepEqual([(await hears(tablet.client, "note")).id, (await hears(tablet.client, "note")).id], ["shop/one", "shop/two"]);
    assert.deepEqual((await hears(tablet.client, "read")).ids, ["shop/one"]);
    assert.deepEqual((await post(server, "ada", "one")).body, body, "sent again it is still read");
  });

  test("is told to the sender once, signed, and again until it is taken", async () => {
    const heard = [];
    const hook = createServer((req, res) => {
      let body = "";
      req.setEncoding("utf8").on("data", (text) => (body += text)).on("end", () => {
        heard.push({ body, signature: req.headers["x-signature"] });
        res.writeHead(heard.length === 1 ? 500 : 204).end();
      });
    }).listen(0, "127.0.0.1");
    await once(hook, "listening");
    later.push(() => new Promise((resolve) => {
      hook.closeAllConnections();
      hook.close(resolve);
    }));
    const server = await serve({ receipts: `http://127.0.0.1:${hook.address().port}/read` });
    const { client } = await device(server, "ada");
    for (const [id, key] of [["one", "shop-key"], ["two", "shop-key"], ["three", "bank-key"]]) {
      await post(server, "ada", id, { key });
      await hears(client, "note");
    }
    mark(client, "shop/one", "shop/two", "bank/three");
    await hears(client, "read");
    mark(client, "shop/two"); // read before: nothing for the sender
    await hears(client, "read");
    await server.logged(/a receipt was not taken/);
    await until("the receipt is taken", () => heard.length >= 2);
    await client.expectNone();
    assert.equal(heard.length, 2, "the first was not taken, the second was");
    const { user, ids, read } = JSON.parse(heard[1].body);
    assert.deepEqual([user, ids, typeof read], ["ada", ["one", "two"], "number"]);
    assert.equal(heard[0].body, heard[1].body);
    assert.equal(heard[1].signature, `sha256=${createHmac("sha256", "shop-key").update(heard[1].body).digest("hex")}`);
  });

  test("must be something, and by somebody who said hello", async () => {
    const server = await serve();
    const { client } = await device(server, "ada");
    for (const ids of [undefined, "shop/one", [], ["one"], [7], [{}], Array(101).fill("shop/one")]) {
      client.send(JSON.stringify({ type: "read", ids }));
      assert.equal((await hears(client, "error")).code, "invalid");
    }
    for (const text of ["x", "[1]", '{"type":"nonsense"}', '{"type":7}']) {
      client.send(text);
      assert.equal((await hears(client, "error")).code, "invalid");
    }
    mark(client, "shop/unknown"); // one that is forgotten: only the devices hear
    assert.deepEqual((await hears(client, "read")).ids, ["shop/unknown"]);
    const shy = await Client.open(server, "/device", { headers: { cookie: await login(server, "ada") } });
    mark(shy, "shop/one");
    await shy.expectNone();
    await client.expectNone();
  });
});

describe("what survives", () => {
  test("a reload: devices stay, and nothing is missed", async () => {
    const server = await serve();
    const { client } = await device(server, "ada");
    await post(server, "ada", "one");
    assert.equal((await server.reload()).status, 200);
    await post(server, "ada", "two");
    assert.deepEqual([(await hears(client, "note")).id, (await hears(client, "note")).id], ["shop/one", "shop/two"]);
    mark(client, "shop/two");
    await hears(client, "read");
    assert.ok((await ask(server, "ada", "two")).body.read);
  });

  test("the death of every worker: what was read, and a note sent again", async () => {
    const server = await serve();
    const first = await device(server, "ada");
    await post(server, "ada", "one");
    await hears(first.client, "note");
    mark(first.client, "shop/one");
    await hears(first.client, "read");
    const before = await ask(server, "ada", "one");
    for (const slot of [0, 1]) {
      const { pid } = await server.worker(slot);
      process.kill(pid, "SIGKILL");
      await server.replaced(slot, pid);
    }
    assert.deepEqual((await ask(server, "ada", "one")).body, before.body);
    const since = { epoch: first.position.epoch, offset: 2 };
    const back = await until("a device is let in", () => device(server, "ada", since).catch(() => null));
    assert.notEqual(back.position.epoch, first.position.epoch, "the history is another one, and the page sees it");
    await until("the note is taken", async () => (await post(server, "ada", "one")).status === 202);
    const note = await hears(back.client, "note");
    assert.deepEqual([note.id, note.read], ["shop/one", before.body.read]);
  });
});

describe("who is there", () => {
  test("must show a token that is signed, for us, and not over", async () => {
    const server = await serve();
    const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const token = (claims, { alg = "HS256", secret = SECRET } = {}) => {
      const text = `${part({ alg })}.${part({ iss: "notify", sub: "ada", exp: Date.now() / 1000 + 60, ...claims })}`;
      return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
    };
    const open = (value) => Client.open(server, "/device", { headers: { authorization: `Bearer ${value}` } });
    const good = await open(token({}));
    good.send('{"type":"hello"}');
    assert.equal((await hears(good, "welcome")).user, "ada");
    const bad = [token({ exp: 1 }), token({ iss: "another" }), token({ sub: "a b" }), token({ sub: undefined }), token({}, { alg: "none" }), token({}, { secret: "x".repeat(32) }), "x", ""];
    for (const value of bad) {
      await assert.rejects(open(value), (error) => error instanceof Refused && error.status === 401, value);
    }
    await assert.rejects(Client.open(server, "/device"), (error) => error.status === 401);
  });

  test("is told, and forgotten at the logout", async () => {
    const server = await serve();
    const me = async (cookie) => (await request(server, "GET", "/me", { key: null, headers: { cookie } })).body;
    const cookie = await login(server, "ada");
    assert.equal((await me(cookie)).user, "ada");
    const { user, dev_login } = await me("");
    assert.deepEqual([user, dev_login], [null, true]);
    const out = await request(server, "POST", "/logout", { key: null });
    assert.equal(out.status, 204);
    assert.match(out.headers.get("set-cookie"), /^notify=; .*Max-Age=0/);
    assert.equal((await request(server, "POST", "/login", { key: null, body: { user: "a b" } })).status, 400);
  });

  test("cannot log in by a name where that is switched off", async () => {
    const server = await serve({ dev_login: false });
    assert.equal((await request(server, "POST", "/login", { key: null, body: { user: "ada" } })).status, 404);
  });

  test("is nobody where there is no secret: it starts closed", async () => {
    const server = await Server.start(`${FOLDER}/main.lua`);
    later.push(() => server.stop());
    assert.equal((await post(server, "ada", "one")).status, 401);
    assert.equal((await request(server, "POST", "/login", { key: null, body: { user: "ada" } })).status, 404);
    assert.equal((await request(server, "GET", "/me", { key: null })).body.user, null);
    await assert.rejects(Client.open(server, "/device"), (error) => error.status === 401);
  });
});

test("its configuration passes the check", async () => {
  const { code, stdout, stderr } = await run(["check", `${FOLDER}/main.lua`, "--config", `${FOLDER}/config.lua`]);
  assert.deepEqual([code, stderr], [0, ""]);
  assert.match(stdout, /main\.lua: ok/);
});

test("its guide shows the code that runs", () => assertShows("docs/how-to/notify-users.md", "notify"));

test("its own tests pass", async () => {
  const { code, stdout, stderr } = await run(["test", `${FOLDER}/main_test.lua`]);
  assert.equal(code, 0, stdout + stderr);
});
