/* Who can connect: the files of Unix sockets, and newcomers while the server
 * ends.
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, existsSync, mkdirSync, statSync } from "node:fs";
import { request } from "node:http";
import { createServer } from "node:net";
import { join } from "node:path";
import { after, afterEach, describe, test } from "node:test";
import { Gate, Scripts, Server, run, source, until, within } from "./harness.mjs";
import { Socket, cutAll } from "./socket.mjs";

const HELLO = `local tw = require "tidewire"
return tw.routes { ["GET /hello"] = function() return 200, "hello" end }
`;
const scripts = new Scripts({ "main.lua": HELLO });
scripts.copy(join(source, "lua/tidewire"), "library/tidewire");
chmodSync(scripts.folder, 0o755);
after(() => scripts.remove());
afterEach(cutAll);

/* What a plain request is answered, or the code of the error. */
function hello(where) {
  return within("an answer", new Promise((resolve) => {
    const sent = request({ path: "/hello", agent: false, ...where }, (answer) => {
      let body = "";
      answer.setEncoding("utf8").on("data", (text) => (body += text));
      answer.on("end", () => resolve(body));
    });
    sent.on("error", (error) => resolve(error.code)).end();
  }));
}

const modeOf = (path) => (statSync(path).mode & 0o7777).toString(8);

describe("a Unix socket", () => {
  const path = scripts.path("public.sock");

  async function serve(t, listen, settings = {}) {
    const server = await Server.start(scripts.path(), { args: ["--listen", listen], settings });
    t.after(() => server.stop());
  }

  test("is its owner's alone when nothing is said", async (t) => {
    await serve(t, `unix:${path}`);
    assert.equal(modeOf(path), "600");
    assert.equal(await hello({ socketPath: path }), "hello");
  });

  test("gets its mode from the command line, whatever the umask", async (t) => {
    await serve(t, `unix:${path},mode=0666`);
    assert.equal(modeOf(path), "666");
    assert.equal(await hello({ socketPath: path }), "hello");
  });

  test("lets its group connect when one is named", async (t) => {
    await serve(t, `unix:${path},group=${process.getgid()}`);
    assert.equal(modeOf(path), "660");
    assert.equal(statSync(path).gid, process.getgid());
  });

  test("may be an entry of the file, and is removed at the end", async (t) => {
    scripts.write("config.lua", `return { admin = "off", workers = 1, listen = {
      { address = ${JSON.stringify(`unix:${path}`)}, mode = "0640", group = "${process.getgid()}" } } }`);
    const flags = ["--config", scripts.path("config.lua"), "--runtime-dir", scripts.path("run")];
    const child = spawn(process.env.TIDEWIRE_BIN, ["run", scripts.path(), ...flags], { stdio: "ignore" });
    t.after(() => child.kill("SIGKILL"));
    await until("it serves", async () => (await hello({ socketPath: path })) === "hello");
    assert.equal(modeOf(path), "640");
    const gone = once(child, "exit");
    child.kill("SIGTERM");
    assert.deepEqual(await within("its end", gone), [0, null]);
    assert.equal(existsSync(path), false);
  });

  for (const [what, listen, why, code] of [
    ["a mode that is none", `unix:${path},mode=9`, /mode: must be text from "0600" to "0777"/, 2],
    ["a word that is none", `unix:${path},mod=0660`, /'mod=0660' is neither mode=\.\.\. nor group=\.\.\./, 2],
    ["a group that is not there", `unix:${path},group=no-such-group`, /there is no group 'no-such-group'/, 1],
  ]) {
    test(`does not come into being with ${what}`, async () => {
      const end = await run(["run", scripts.path(), "--admin", "off", "--listen", listen, "--runtime-dir", scripts.path("run")]);
      assert.equal(end.code, code, end.stderr);
      assert.match(end.stderr, why);
      assert.equal(existsSync(path), false, "nor is its file left behind");
    });
  }
});

/* Somebody else's program that asks. */
function helloAs(ids, path) {
  const ask = `require("http").request({ socketPath: ${JSON.stringify(path)}, path: "/hello" }, (answer) =>
    answer.on("data", (data) => process.stdout.write(data))).on("error", (error) => process.stdout.write(error.code)).end();`;
  return spawnSync(process.execPath, ["-e", ask], { ...ids, cwd: "/", encoding: "utf8" }).stdout;
}

const SERVER = 65534, PROXY = 54321, STRANGER = 54322;
const canBeOthers = process.getuid() === 0 &&
  spawnSync(process.execPath, ["-e", ""], { uid: PROXY, gid: PROXY, cwd: "/" }).status === 0;

describe("under another user", { skip: !canBeOthers && "needs root, and a node that all may run" }, () => {
  test("a proxy in the group may connect, and a stranger may not", async (t) => {
    const folder = scripts.path("sockets"), path = join(folder, "public.sock");
    mkdirSync(folder);
    chownSync(folder, SERVER, SERVER);
    chmodSync(folder, 0o755);
    const server = await Server.start(scripts.path(), {
      args: ["--listen", `unix:${path},mode=0660`],
      settings: { user: String(SERVER), group: String(SERVER), lua: { dir: scripts.path("library") } },
      env: { ASAN_OPTIONS: `${process.env.ASAN_OPTIONS ?? ""}:detect_leaks=0` },
    });
    t.after(() => server.stop());
    assert.equal(helloAs({ uid: PROXY, gid: SERVER }, path), "hello");
    assert.equal(helloAs({ uid: STRANGER, gid: STRANGER }, path), "EACCES");
  });

  test("a group that is not the server's own is refused with the reason", async () => {
    const folder = scripts.path("sockets"), path = join(folder, "other.sock");
    const end = await run(["run", scripts.path(), "--admin", "off", "--listen", `unix:${path},group=${PROXY}`, "--user", String(SERVER), "--group", String(SERVER)],
      { env: { ...process.env, ASAN_OPTIONS: `${process.env.ASAN_OPTIONS ?? ""}:detect_leaks=0`, TIDEWIRE_LUA_DIR: scripts.path("library") } });
    assert.equal(end.code, 1, end.stderr);
    assert.match(end.stderr, /may not be given to group '54321'/);
    assert.equal(existsSync(path), false);
  });
});

describe("while the server ends", () => {
  const gate = new Gate();
  const waiting = new Scripts({ "main.lua": `local tw = require "tidewire"
    return tw.routes {
      ["GET /wait"] = function() ${gate.wait} return 200, "done" end,
      ["GET /hello"] = function() return 200, "hello" end,
      ["/"] = tw.app { drain = { spread = 0 } },
    }` });
  after(() => {
    gate.close();
    waiting.remove();
  });

  test("newcomers are refused at once, and others may take the addresses", async () => {
    const path = waiting.path("public.sock");
    const server = await Server.start(waiting.path(), { workers: 2, settings: { files: gate.files }, args: ["--listen", `unix:${path}`] });
    const early = await Socket.connect(server.port);
    await early.write("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
    await server.hookWaits();
    server.signal("SIGTERM");
    await until("no worker accepts any more", async () => (await hello({ port: server.port, host: "127.0.0.1" })) === "ECONNREFUSED");
    assert.ok(["ENOENT", "ECONNREFUSED"].includes(await hello({ socketPath: path })));
    assert.equal((await server.status()).draining, true, "it is there still");
    const next = createServer().listen({ port: server.port, host: "127.0.0.1" });
    await within("the port", once(next, "listening"));
    const other = createServer().listen(path);
    await within("the path", once(other, "listening"));
    gate.open();
    assert.match(String(await early.readAll()), /^HTTP\/1\.1 200 OK\r\n[^]*Connection: close\r\n[^]*done$/);
    await server.ended();
    assert.ok(existsSync(path), "the path is the other's now");
    next.close();
    other.close();
  });

  test("who was in the queue is answered", async () => {
    const server = await Server.start(waiting.path(), { settings: { files: gate.files, limits: { close: 0.5 } } });
    const { pid } = await server.worker(0);
    process.kill(pid, "SIGSTOP");
    const late = await Socket.connect(server.port);
    await late.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    server.signal("SIGTERM");
    await server.logged(/server drains/);
    process.kill(pid, "SIGCONT");
    /* Whether the worker sees the order first or the newcomer is open. */
    assert.match(String(await late.readAll()), /^HTTP\/1\.1 (503 [^]*Retry-After: 1\r\n|101 [^]*server is draining)/);
    await server.ended();
  });
});
