/* Clients behind proxies, through the program: X-Forwarded-For, the PROXY
 * protocol before HTTP and before TLS, Unix sockets and IPv6, and the limits
 * that go by the client.
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync } from "node:fs";
import { connect as dial } from "node:net";
import { networkInterfaces } from "node:os";
import { connect } from "node:tls";
import { after, afterEach, before, test } from "node:test";
import { upgrade } from "../conformance/wire.mjs";
import { Scripts, Server, run, until, within } from "./harness.mjs";
import { Socket, cutAll, readResponse } from "./socket.mjs";

const scripts = new Scripts({
  "main.lua": `
    local tw = require "tidewire"
    return tw.routes {
        ["/"] = tw.app { on_open = function(conn) conn:send(conn.ip) end },
        ["GET /ip"] = function(req) return 200, req.ip end,
    }`,
});

before(() => {
  const keys = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
  execFileSync("openssl", ["req", "-x509", ...keys, "-subj", "/CN=one.test", "-keyout", scripts.path("one.key"), "-out", scripts.path("one.pem")], { stdio: "pipe" });
  chmodSync(scripts.path("one.key"), 0o600);
});
after(() => scripts.remove());

let server, child;
afterEach(async () => {
  cutAll();
  await server?.stop();
  if (child) {
    const gone = once(child, "exit");
    child.kill("SIGTERM");
    assert.deepEqual(await within("the server's end", gone), [0, null]);
  }
  server = child = null;
});

async function start(settings, options = {}) {
  server = await Server.start(scripts.path(), { settings, ...options });
  return server;
}

/* With addresses that only the file can describe: their ports. */
async function launch(config) {
  scripts.write("config.lua", `return { admin = "off", workers = 1, ${config} }`);
  const flags = ["--config", scripts.path("config.lua"), "--runtime-dir", scripts.path("run"), "--log-format", "logfmt"];
  child = spawn(process.env.TIDEWIRE_BIN, ["run", scripts.path(), ...flags], { stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (text) => (log += text));
  const [line] = await until("it is ready", () => /Tidewire \S+ on .*/.exec(log));
  return [...line.matchAll(/https?:\/\/127\.0\.0\.1:(\d+)/g)].map(([, port]) => Number(port));
}

const get = (headers = "") => `GET /ip HTTP/1.1\r\nHost: a\r\n${headers}\r\n`;

/* Version 2, TCP over IPv4, and an extension. */
function header(ip) {
  const fixed = Buffer.from("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x10", "latin1");
  return Buffer.concat([fixed, Buffer.from([...ip.split(".").map(Number), 127, 0, 0, 1, 1, 2, 3, 4, 0xee, 0, 1, 7])]);
}

async function ipOf(port, request, options) {
  const socket = await Socket.connect(port, options);
  await socket.write(request);
  const response = await readResponse(socket);
  socket.cut();
  return response.body;
}

test("X-Forwarded-For counts from a trusted proxy only", async () => {
  await start({ trusted_proxies: ["127.0.0.2", "10.0.0.0/8"] });
  const request = get("X-Forwarded-For: 6.6.6.6, 192.0.2.7\r\nX-Forwarded-For: 10.1.1.1\r\n");
  assert.equal(await ipOf(server.port, request, { localAddress: "127.0.0.2" }), "192.0.2.7");
  assert.equal(await ipOf(server.port, request), "127.0.0.1");
});

test("networks may come from the environment", async () => {
  await start({}, { env: { TIDEWIRE_TRUSTED_PROXIES: "10.0.0.0/8,127.0.0.0/8" } });
  assert.equal(await ipOf(server.port, get("X-Forwarded-For: 2001:db8::7\r\n")), "2001:db8::7");
});

test("the limit of one address goes by the client", async () => {
  await start({ trusted_proxies: ["127.0.0.1"], limits: { max_connections_per_address: 2 } });
  const open = async (ip) => {
    const socket = await Socket.connect(server.port);
    await socket.write(upgrade("/", { "X-Forwarded-For": ip }));
    return (await readResponse(socket)).status;
  };
  const statuses = [];
  for (const ip of ["192.0.2.7", "192.0.2.7", "192.0.2.7", "192.0.2.8"]) {
    statuses.push(await open(ip));
  }
  assert.deepEqual(statuses, [101, 101, 429, 101]);
  assert.equal(await server.metric("tidewire_address_refused_total"), 1);
});

test("a Unix socket is served, and its peers are trusted when told so", async () => {
  const path = scripts.path("public.sock");
  await start({ trusted_proxies: ["unix"] }, { args: ["--listen", `unix:${path}`] });
  const socket = await Socket.connect(undefined, { path });
  await socket.write(get() + get("X-Forwarded-For: 192.0.2.7\r\n"));
  assert.equal((await readResponse(socket)).body, "unix");
  assert.equal((await readResponse(socket)).body, "192.0.2.7");
});

const hasIPv6 = Object.values(networkInterfaces()).flat().some(({ address }) => address === "::1");
test("IPv6 is served", { skip: !hasIPv6 }, async () => {
  await start({}, { args: ["--listen", "[::1]:0"] });
  const [, port] = await server.logged(/http:\/\/\[::1\]:(\d+)\//);
  assert.equal(await ipOf(Number(port), get(), { host: "::1" }), "::1");
});

test("a PROXY header is expected where it is said to come, and nowhere else", async () => {
  const [proxied, plain] = await launch(`
    listen = { { address = "127.0.0.1:0", proxy = true }, "127.0.0.1:0" },
    trusted_proxies = "127.0.0.1"`);
  assert.equal(await ipOf(proxied, Buffer.concat([header("192.0.2.7"), Buffer.from(get())])), "192.0.2.7");
  assert.equal(await ipOf(plain, get()), "127.0.0.1");
  for (const [port, bytes, options] of [
    [proxied, get()],
    [proxied, header("192.0.2.7"), { localAddress: "127.0.0.2" }],
  ]) {
    const socket = await Socket.connect(port, options);
    await socket.write(bytes);
    assert.equal((await socket.readAll()).length, 0);
  }
  const socket = await Socket.connect(plain);
  await socket.write(header("192.0.2.7"));
  assert.equal((await readResponse(socket)).status, 400);
});

test("a PROXY header comes before TLS", async () => {
  const [port] = await launch(`
    listen = { { address = "127.0.0.1:0", proxy = true, tls = { cert = "one.pem", key = "one.key" } } },
    trusted_proxies = "127.0.0.1"`);
  for (const isDripped of [false, true]) {
    const net = dial(port, "127.0.0.1").setNoDelay(true);
    await within("a connection", once(net, "connect"));
    for (const byte of isDripped ? header("192.0.2.7") : []) {
      net.write(Buffer.from([byte]));
    }
    if (!isDripped) {
      net.write(header("192.0.2.7"));
    }
    const secure = connect({ socket: net, servername: "one.test", rejectUnauthorized: false });
    await within("a TLS handshake", once(secure, "secureConnect"));
    let text = "";
    secure.setEncoding("latin1").on("data", (data) => (text += data));
    secure.write(get());
    await until("the answer", () => text.endsWith("\r\n\r\n192.0.2.7"));
    secure.destroy();
  }
});

test("what cannot be is refused at the start", async () => {
  const flags = ["run", scripts.path(), "--listen", "127.0.0.1:0", "--admin", "off", "--workers", "1"];
  const bad = await run(flags, { env: { ...process.env, TIDEWIRE_TRUSTED_PROXIES: "10.0.0.1/8" } });
  assert.equal(bad.code, 1);
  assert.match(bad.stderr, /'10\.0\.0\.1\/8' is not a network/);
  scripts.write("config.lua", `return { admin = "off", listen = { { address = "127.0.0.1:0", proxy = true } } }`);
  const nobody = await run(["run", scripts.path(), "--config", scripts.path("config.lua")]);
  assert.equal(nobody.code, 1);
  assert.match(nobody.stderr, /expects the PROXY protocol, but no proxy is trusted/);
  scripts.write("config.lua", `return { listen = { { address = "127.0.0.1:0", proxy = "yes" } } }`);
  const wrong = await run(["run", scripts.path(), "--config", scripts.path("config.lua")]);
  assert.notEqual(wrong.code, 0);
  assert.match(wrong.stderr, /proxy: must be true or false/);
});
