/* docs-run.test.mjs - the applications of the pages run and do what the pages
 * say of them. SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { generateKeyPairSync, sign } from "node:crypto";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { dirname, join } from "node:path";
import { afterEach, describe, test } from "node:test";
import WebSocket from "ws";
import { Client, dropAll, Refused } from "./client.mjs";
import { run, sanitized, Scripts, Server, source, within } from "./harness.mjs";
import { page } from "./pages.mjs";

const later = []; // what a test opened

afterEach(async () => {
  dropAll();
  for (const undo of later.splice(0).reverse()) {
    await undo();
  }
});

function scriptsOf(files) {
  const scripts = new Scripts(files);
  later.push(() => scripts.remove());
  return scripts;
}

async function serve(scripts, name = "main.lua", options = {}) {
  const server = await Server.start(scripts.path(name), { workers: 2, ...options });
  later.push(() => server.stop());
  return server;
}

/* The files of a page's application: of each name the last. */
function filesOf(name) {
  return Object.fromEntries(page(name).blocks.filter(({ mark }) => mark === "file").map(({ value, text }) => [value, text]));
}

async function serveFiles(name, main = "main.lua") {
  const files = filesOf(name);
  const scripts = scriptsOf(files);
  const args = files["config.lua"] ? ["--config", scripts.path("config.lua")] : [];
  return { scripts, server: await serve(scripts, main, { args }) };
}

const json = (client) => client.next().then(JSON.parse);
const say = (client, message) => client.send(JSON.stringify(message));

/* The next message of one of these types; others are passed over. */
async function nextOf(client, ...types) {
  for (;;) {
    const message = await json(client);
    if (types.includes(message.type)) {
      return message;
    }
  }
}

describe("the README's chat room", () => {
  const text = page("README.md").blocks.find(({ language }) => language === "lua").text;

  test("has 15 lines", () => assert.equal(text.trimEnd().split("\n").length, 15));

  test("lets two people talk and asks others who they are", async () => {
    const server = await serve(scriptsOf({ "main.lua": text }));
    const ada = await Client.open(server, "/?name=ada");
    ada.send("alone");
    await ada.expect("ada: alone"); // has subscribed
    const bob = await Client.open(server, "/?name=bob");
    bob.send("hi");
    await Promise.all([ada.expect("bob: hi"), bob.expect("bob: hi")]);
    ada.send("hello");
    await Promise.all([ada.expect("ada: hello"), bob.expect("ada: hello")]);
    await assert.rejects(Client.open(server), (error) => error instanceof Refused && error.status === 401);
  });
});

describe("the tutorial", () => {
  const name = "docs/tutorial/chat.md";
  const versions = page(name).blocks.filter(({ value }) => value === "chat.lua").map(({ text }) => text);

  test("its echo echoes", async () => {
    const server = await serve(scriptsOf({ "chat.lua": versions[0] }), "chat.lua");
    const client = await Client.open(server);
    client.send("hello");
    await client.expect("hello");
  });

  test("its second version tells everybody, after a reload", async () => {
    const scripts = scriptsOf({ "chat.lua": versions[0] });
    const server = await serve(scripts, "chat.lua");
    scripts.write("chat.lua", versions[1]);
    assert.equal((await server.reload()).status, 200);
    /* Whose message is answered has subscribed: its on_open has ended. */
    const one = await Client.open(server);
    one.send("alone");
    await one.expect("alone");
    const two = await Client.open(server);
    two.send("hello");
    await Promise.all([one.expect("hello"), two.expect("hello")]);
  });

  test("its third version knows names", async () => {
    const server = await serve(scriptsOf({ ...filesOf(name), "chat.lua": versions[2] }), "chat.lua");
    const ada = await Client.open(server, "/chat/lobby?name=ada");
    assert.deepEqual(await json(ada), { type: "join", name: "ada" });
    say(ada, { type: "say", text: "hello" });
    assert.deepEqual(await json(ada), { type: "say", name: "ada", text: "hello" });
    await assert.rejects(Client.open(server, "/chat/lobby"), Refused);
  });

  test("its fourth version has rooms, and is changed while people talk", async () => {
    const scripts = scriptsOf({ ...filesOf(name), "chat.lua": versions[3] });
    const server = await serve(scripts, "chat.lua");
    assert.match(await (await fetch(`http://127.0.0.1:${server.port}/`)).text(), /<title>Chat/);
    const ada = await Client.open(server, "/chat/tea?name=ada");
    await json(ada);
    const bob = await Client.open(server, "/chat/tea?name=bob");
    assert.deepEqual(await json(ada), { type: "join", name: "bob" });
    await json(bob);
    const eve = await Client.open(server, "/chat/coffee?name=eve");
    await json(eve);
    say(ada, { type: "typing" });
    say(ada, { type: "say", text: "hello" });
    const [typing, said] = [await json(bob), await json(bob)];
    assert.deepEqual([typing.type, said.text], ["typing", "hello"]);
    assert.deepEqual(await json(ada), { type: "say", name: "ada", text: "hello" });

    const change = page(name).blocks.find(({ text }) => text.includes("at = tw.now()")).text;
    const before = versions[3];
    const changed = before.replace("    local message = { type = type, name = conn.user, text = text }\n", change);
    assert.notEqual(changed, before);
    scripts.write("chat.lua", changed);
    assert.equal((await server.reload()).status, 200);
    say(ada, { type: "say", text: "still here" });
    assert.equal(typeof (await json(bob)).at, "number");

    scripts.write("chat.lua", changed.replace("return tw.routes {", "return tw.routes "));
    const broken = await server.reload();
    assert.equal(broken.status, 422);
    assert.match(JSON.parse(broken.body).error.message, /chat\.lua:\d+: /);
    say(bob, { type: "say", text: "and I" });
    await json(ada);
    assert.equal((await json(ada)).text, "and I");
    await eve.expectNone();
    await bob.close();
    assert.equal((await json(ada)).type, "leave");
  });

  test("its last version keeps what is said, for who comes late and who comes back", async () => {
    const { server } = await serveFiles(name, "chat.lua");
    const enter = async (who, since) => {
      const client = await Client.open(server, `/chat/tea?name=${who}`);
      say(client, { type: "enter", since });
      return { client, here: (await nextOf(client, "here", "say")).position };
    };
    const { client: ada, here } = await enter("ada");
    assert.deepEqual([here.stream, here.offset, here.count], ["room", 0, 0]);
    say(ada, { type: "typing" });
    say(ada, { type: "say", text: "hello" });
    assert.equal((await nextOf(ada, "say")).stream, "room");
    const late = await enter("bob");
    assert.deepEqual([late.here.epoch, late.here.offset, late.here.count], [here.epoch, 1, 1], "typing is not kept");
    assert.equal((await nextOf(late.client, "say")).text, "hello");
    await late.client.close();
    say(ada, { type: "say", text: "meanwhile" });
    await nextOf(ada, "say");
    const back = await enter("bob", { epoch: here.epoch, offset: 1 });
    assert.deepEqual([back.here.offset, back.here.count], [2, 1]);
    assert.equal((await nextOf(back.client, "say")).text, "meanwhile");
    const lost = await enter("bob", { epoch: "another", offset: 1 });
    assert.deepEqual([lost.here.offset, lost.here.count], [2, 2], "what there is");
    assert.equal((await nextOf(lost.client, "say")).text, "hello");
  });
});

test("push-from-a-backend.md: a request with the key reaches the viewers", async () => {
  const { server } = await serveFiles("docs/how-to/push-from-a-backend.md");
  const viewer = await Client.open(server, "/live/tea");
  const push = (path, headers, body) => fetch(`http://127.0.0.1:${server.port}${path}`, { method: "POST", headers, body });
  const key = { authorization: "Bearer for-development" };
  assert.equal((await push("/push/news:tea", {}, "no")).status, 401);
  assert.equal((await push("/push/", key, "no")).status, 400);
  assert.equal((await push("/push/news:tea", key, '{"headline":"The kettle boils"}')).status, 202);
  await viewer.expect('{"headline":"The kettle boils"}');
  assert.equal((await push("/push/news:tea", key, "x".repeat((1 << 20) + 1))).status, 413);
});

describe("authenticate.md", () => {
  const name = "docs/how-to/authenticate.md";
  const token = "k".repeat(24);

  test("a session file lets a cookie or a token in", async () => {
    const { scripts, server } = await serveFiles(name);
    scripts.write(`sessions/${token}.json`, '{"user":"42","name":"Ada"}');
    const byCookie = await Client.open(server, "/", { headers: { cookie: `session=${token}` } });
    await byCookie.expect('{"hello":"Ada"}');
    await (await Client.open(server, `/?token=${token}`)).expect('{"hello":"Ada"}');
    for (const wrong of ["", "x".repeat(24), `../sessions/${token}`]) {
      await assert.rejects(Client.open(server, `/?token=${encodeURIComponent(wrong)}`), (error) => error.status === 401);
    }
  });

  test("a signed token lets in whom it names", async () => {
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const token = (changed) => {
      const claims = { iss: "https://app.example", aud: "push", sub: "42", name: "Ada", exp: Math.floor(Date.now() / 1000) + 3600 };
      const text = `${part({ alg: "ES256" })}.${part({ ...claims, ...changed })}`;
      return `${text}.${sign("sha256", Buffer.from(text), { key: privateKey, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
    };
    const scripts = scriptsOf(filesOf(name)).write("keys/app.pem", publicKey.export({ type: "spki", format: "pem" }));
    const server = await serve(scripts, "jwt.lua", { settings: { files: ["keys/"] } });
    await (await Client.open(server, `/?token=${token()}`)).expect('{"hello":"Ada"}');
    await (await Client.open(server, "/", { headers: { authorization: `Bearer ${token()}` } })).expect('{"hello":"Ada"}');
    for (const wrong of ["", "x", token({ exp: 1 }), token({ aud: "other" }), token({ sub: undefined }), `${token()}A`]) {
      await assert.rejects(Client.open(server, `/?token=${wrong}`), (error) => error.status === 401);
    }
  });

  test("a first message logs in once, a wrong one ends the connection", async () => {
    const scripts = scriptsOf(filesOf(name));
    const server = await serve(scripts, "first-message.lua", { settings: { config: { keys: { abc: "42" } } } });
    const client = await Client.open(server);
    say(client, { key: "abc" });
    await client.expect('{"hello":"42"}');
    client.send("to myself");
    await client.expect("to myself");
    const other = await Client.open(server);
    say(other, { key: "no" });
    await other.expectClose(3000, "wrong key");
  });
});

test("live-dashboard.md: one producer serves every viewer", async () => {
  const { server } = await serveFiles("docs/how-to/live-dashboard.md");
  const viewers = await Promise.all([1, 2, 3].map(() => Client.open(server, "/figures")));
  const samples = await Promise.all(viewers.map(json));
  samples.forEach((sample) => assert.deepEqual(Object.keys(sample).sort(), ["at", "connections", "load"]));
  assert.equal((await fetch(`http://127.0.0.1:${server.port}/`)).status, 200);
});

test("recover-missed-messages.md: who comes back misses nothing, or is told", async () => {
  const { server } = await serveFiles("docs/how-to/recover-missed-messages.md");
  const post = (text, key) =>
    fetch(`http://127.0.0.1:${server.port}/news/tea`, { method: "POST", headers: { "idempotency-key": key }, body: text });
  const enter = async (since) => {
    const client = await Client.open(server, "/news");
    say(client, { type: "enter", since });
    const { type, position } = await json(client);
    assert.equal(type, "entered");
    return { client, position };
  };
  const { client, position } = await enter();
  assert.deepEqual([position.stream, position.offset, position.count], ["news:tea", 0, 0]);
  assert.equal((await post("one", "a")).status, 202);
  assert.equal((await json(client)).text, "one");
  await client.close();
  assert.equal((await post("two", "b")).status, 202);
  assert.equal((await post("two", "b")).status, 202, "again");
  assert.equal((await post("three", "c")).status, 202);
  const back = await enter({ epoch: position.epoch, offset: 1 });
  assert.deepEqual([back.position.epoch, back.position.offset, back.position.count], [position.epoch, 3, 2]);
  assert.deepEqual([(await json(back.client)).text, (await json(back.client)).text], ["two", "three"]);
  for (const since of [{ epoch: "another", offset: 2 }, { epoch: position.epoch, offset: 9 }, { epoch: position.epoch, offset: -1 }, "nonsense"]) {
    const other = await enter(since);
    assert.deepEqual([other.position.offset, other.position.count], [3, 3], JSON.stringify(since));
  }
});

test("reload-without-dropping.md: the state goes along and is migrated", async () => {
  const [first, second] = page("docs/how-to/reload-without-dropping.md").blocks.filter(({ language }) => language === "lua");
  const scripts = scriptsOf({ "main.lua": first.text.replace("tw.app {", "tw.app {\n    version = 1,") });
  const server = await serve(scripts);
  const client = await Client.open(server);
  client.send("one");
  assert.deepEqual(await json(client), { said: 1, generation: 1 });
  assert.equal((await server.reload()).status, 200);
  client.send("two");
  assert.deepEqual(await json(client), { said: 2, generation: 2 });

  const telling = second.text.replace("conn.state.counts = counts", "conn.state.counts = counts\n        conn:send(conn.state)");
  assert.notEqual(telling, second.text);
  scripts.write("main.lua", telling);
  assert.equal((await server.reload()).status, 200);
  client.send("three");
  assert.deepEqual((await json(client)).counts, { said: 3 });
});

test("hooks.md: its routes answer", async () => {
  const block = page("docs/reference/hooks.md").blocks.find(({ text }) => text.includes("GET /time"));
  const server = await serve(scriptsOf({ "main.lua": block.text, "www/index.html": "<p>hello" }));
  const base = `http://127.0.0.1:${server.port}`;
  assert.equal(typeof (await (await fetch(`${base}/time`)).json()).now, "number");
  assert.equal(await (await fetch(`${base}/`)).text(), "<p>hello");
  assert.equal((await fetch(`${base}/time`, { method: "POST" })).status, 405);
  assert.equal((await fetch(`${base}/doc/7`)).status, 404);
  await (await Client.open(server, "/doc/7")).expect("7");
});

test("cli.md: its fan-out application carries bench", async () => {
  const block = page("docs/reference/cli.md").blocks.find(({ language }) => language === "lua");
  const server = await serve(scriptsOf({ "main.lua": block.text }));
  const url = `ws://127.0.0.1:${server.port}/`;
  const { code, stdout, stderr } = await run(["bench", "fanout", "--url", url, "--subscribers", "5", "--seconds", "0.3", "--warmup", "0.1", "--drain", "30", "--ledger"]);
  assert.equal(code, 0, stdout + stderr);
});

describe("embed-in-c.md", () => {
  const built = dirname(process.env.TIDEWIRE_BIN);
  const library = join(built, "core", "libtidewire.a");

  test("its program compiles, serves and ends", { skip: !existsSync(library) }, async () => {
    const scripts = scriptsOf(filesOf("docs/how-to/embed-in-c.md"));
    const flags = ["-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-g", `-I${source}/core/include`];
    sanitized && flags.push("-fsanitize=address,undefined");
    /* What pkg-config says of an installed one, with the library's own path. */
    const described = readFileSync(join(built, "core", "tidewire.pc"), "utf8");
    const needs = /^Requires: (.*)$/m.exec(described)[1].split(" ");
    const others = spawnSync("pkg-config", ["--libs", ...needs], { encoding: "utf8" }).stdout.trim().split(/\s+/);
    const libraries = [library, ...others, "-lwslay", "-pthread"];
    const compiled = spawnSync("cc", [...flags, scripts.path("live.c"), "-o", scripts.path("live"), ...libraries], { encoding: "utf8" });
    assert.equal(compiled.status, 0, compiled.stderr);

    const child = spawn(scripts.path("live"), ["127.0.0.1:0"], { stdio: ["pipe", "pipe", "inherit"] });
    later.push(() => child.kill("SIGKILL"));
    const gone = once(child, "close");
    const [url] = await within("the address", once(createInterface(child.stdout), "line"));
    const socket = new WebSocket(url);
    later.push(() => socket.terminate());
    await within("a connection", once(socket, "open"));
    const next = () => within("a message", once(socket, "message")).then(([data]) => data.toString());
    const echo = next();
    socket.send("from a browser");
    assert.equal(await echo, "from a browser");
    const line = next();
    child.stdin.write("from the host\n");
    assert.equal(await line, "from the host");
    child.stdin.end();
    const [code] = await within("its end", gone);
    assert.equal(code, 0);
  });
});
