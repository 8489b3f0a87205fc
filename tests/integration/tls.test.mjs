/* https and wss by node's own TLS and the ws client, with certificates made by
 * the openssl program.
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { connect } from "node:tls";
import WebSocket from "ws";
import { LAB } from "./client.mjs";
import { Scripts, Server, run, until, within } from "./harness.mjs";

const folder = mkdtempSync(join(tmpdir(), "tw-tls-"));
const file = (name) => join(folder, name);
const read = (name) => readFileSync(file(name));
const openssl = (...args) => execFileSync("openssl", args, { stdio: ["ignore", "pipe", "pipe"] });
const KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

function makeAuthority(name) {
  openssl("req", "-x509", ...KEY, "-days", "2", "-subj", `/CN=${name}`, "-keyout", file(`${name}.key`), "-out", file(`${name}.pem`));
}

const RSA = ["-newkey", "rsa:2048", "-nodes"];

function makePair(name, { ca = "ca", subject = `/CN=${name}`, names = `DNS:${name}`, as = name, key = KEY } = {}) {
  openssl("req", ...key, "-subj", subject, "-keyout", file(`${as}.key.new`), "-out", file("request"));
  writeFileSync(file("extensions"), `subjectAltName=${names}\n`);
  openssl("x509", "-req", "-in", file("request"), "-days", "2", "-CA", file(`${ca}.pem`), "-CAkey", file(`${ca}.key`), "-CAcreateserial", "-extfile", file("extensions"), "-out", file(`${as}.pem.new`));
  chmodSync(file(`${as}.key.new`), 0o600);
  renameSync(file(`${as}.key.new`), file(`${as}.key`));
  renameSync(file(`${as}.pem.new`), file(`${as}.pem`));
}

/* An OCSP response as the CA gives it, good for a day. */
function makeResponse(name, as = `${name}.ocsp`) {
  const serial = openssl("x509", "-in", file(`${name}.pem`), "-noout", "-serial").toString().trim().split("=")[1];
  writeFileSync(file("index"), `V\t491231235959Z\t\t${serial}\tunknown\t/CN=${name}\n`);
  openssl("ocsp", "-index", file("index"), "-CA", file("ca.pem"), "-rsigner", file("ca.pem"), "-rkey", file("ca.key"), "-issuer", file("ca.pem"), "-cert", file(`${name}.pem`), "-ndays", "1", "-noverify", "-respout", file(as));
}

before(() => {
  makeAuthority("ca");
  makeAuthority("stranger");
  makePair("one.test", { names: "DNS:one.test,DNS:*.one.test" });
  makePair("two.test");
  makePair("ann", { subject: "/O=Example/CN=ann", names: "DNS:ann.test,URI:spiffe://example.com/ann,email:ann@example.com,IP:192.0.2.7,DNS:www.ann.test" });
  makePair("eve", { ca: "stranger" });
});
after(() => rmSync(folder, { recursive: true, force: true }));

const PAIRS = () => ({ cert: [file("one.test.pem"), file("two.test.pem")], key: [file("one.test.key"), file("two.test.key")] });
const trusting = (options = {}) => ({ ca: read("ca.pem"), servername: "one.test", ...options });

async function start(t, { tls = {}, script = LAB, settings = {}, ...options } = {}) {
  const server = await Server.start(script, { settings: { tls: { ...PAIRS(), ...tls }, ...settings }, ...options });
  t.after(() => server.stop());
  return server;
}

/* A TLS connection that shook hands. */
async function dial(server, options) {
  const socket = connect({ port: server.port, host: "127.0.0.1", ...trusting(options) });
  await within("a TLS handshake", once(socket, "secureConnect"));
  return socket;
}

/* One answer: { status, body }. */
function ask(server, { path = "/run", body = "", ...options } = {}) {
  return within(path, new Promise((resolve, reject) => {
    const sent = request({ port: server.port, host: "127.0.0.1", path, method: "POST", agent: false, ...trusting(options) }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (part) => (text += part));
      answer.on("end", () => resolve({ status: answer.statusCode, body: text }));
    });
    sent.on("error", reject).end(body);
  }));
}

async function openSocket(server, options) {
  const socket = new WebSocket(`wss://127.0.0.1:${server.port}/`, { perMessageDeflate: false, ...trusting(options) });
  await within("a WebSocket over TLS", once(socket, "open"));
  return socket;
}

async function echo(socket, data) {
  const answer = once(socket, "message");
  socket.send(data);
  const [got] = await within("an echo", answer);
  assert.ok(Buffer.from(data).equals(got));
}

test("wss echoes small and large messages", async (t) => {
  const server = await start(t);
  const socket = await openSocket(server);
  await echo(socket, "hello");
  await echo(socket, Buffer.alloc(1 << 20, 7));
  socket.close(1000);
  const [code] = await within("the close", once(socket, "close"));
  assert.equal(code, 1000);
});

test("https answers, and says in req.tls what was agreed on", async (t) => {
  const script = new Scripts({ "main.lua": `local tw = require "tidewire"
    return tw.routes { ["POST /run"] = function(req) return 200, req.tls end }` });
  t.after(() => script.remove());
  const server = await start(t, { script: script.path() });
  for (const version of ["TLSv1.2", "TLSv1.3"]) {
    const answer = await ask(server, { minVersion: version, maxVersion: version });
    const tls = JSON.parse(answer.body);
    assert.equal(tls.version, version);
    assert.equal(tls.server_name, "one.test");
    assert.equal(tls.resumed, false);
    assert.equal(tls.client, undefined);
    assert.match(tls.cipher, /GCM|CHACHA20/);
  }
});

test("the name asked for chooses the certificate", async (t) => {
  const server = await start(t);
  for (const [name, expected] of [["one.test", "one.test"], ["two.test", "two.test"], ["x.one.test", "one.test"]]) {
    const socket = await dial(server, { servername: name, ALPNProtocols: ["h2", "http/1.1"] });
    assert.equal(socket.getPeerCertificate().subject.CN, expected);
    assert.equal(socket.alpnProtocol, "http/1.1");
    socket.destroy();
  }
});

test("of two kinds of key for one name each client gets the one that it knows", async (t) => {
  makePair("one.test", { as: "one-rsa", key: RSA });
  const server = await start(t, {
    tls: {
      cert: [file("one.test.pem"), file("one-rsa.pem"), file("two.test.pem")],
      key: [file("one.test.key"), file("one-rsa.key"), file("two.test.key")],
    },
  });
  const shown = async (options) => {
    const socket = await dial(server, options);
    const { asymmetricKeyType } = socket.getPeerX509Certificate().publicKey;
    socket.destroy();
    return asymmetricKeyType;
  };
  const [ecdsa, rsa] = ["ECDSA+SHA256", "RSA-PSS+SHA256:RSA+SHA256"];
  for (const version of ["TLSv1.2", "TLSv1.3"]) {
    const versions = { minVersion: version, maxVersion: version };
    assert.equal(await shown({ ...versions, sigalgs: ecdsa }), "ec");
    assert.equal(await shown({ ...versions, sigalgs: rsa }), "rsa");
    assert.equal(await shown({ ...versions, sigalgs: `${rsa}:${ecdsa}` }), "ec");
    await assert.rejects(shown({ ...versions, sigalgs: rsa, servername: "two.test" }));
  }
});

test("an OCSP response is sent along, and read again by a reload", async (t) => {
  makePair("stapled.test");
  makeResponse("stapled.test");
  makeResponse("two.test");
  const server = await start(t, {
    tls: { cert: file("stapled.test.pem"), key: file("stapled.test.key"), ocsp: [file("two.test.ocsp"), file("stapled.test.ocsp")] },
    workers: 2,
  });
  const name = { servername: "stapled.test" };
  const sent = async (options) => {
    const socket = connect({ port: server.port, host: "127.0.0.1", ...trusting({ ...name, ...options }) });
    let response = null;
    socket.on("OCSPResponse", (data) => (response = data));
    await within("a TLS handshake", once(socket, "secureConnect"));
    socket.destroy();
    return response;
  };
  assert.match(server.log, /an OCSP response is not sent along.*two\.test\.ocsp.*is about none of the certificates/);
  for (const version of ["TLSv1.2", "TLSv1.3"]) {
    assert.ok(read("stapled.test.ocsp").equals(await sent({ requestOCSP: true, minVersion: version, maxVersion: version })), version);
  }
  assert.equal(await sent({}), null, "to those only who ask");
  const left = (await server.values("tidewire_tls_ocsp_expires"))[0] - Date.now() / 1000;
  assert.ok(left > 80_000 && left <= 86_400, `${left}`);

  const before = read("stapled.test.ocsp");
  writeFileSync(file("stapled.test.ocsp"), "torn");
  assert.match((await server.reload()).body, /stapled\.test\.ocsp: holds no OCSP response in DER/);
  assert.ok(before.equals(await sent({ requestOCSP: true })), "what was good goes on");
  makePair("stapled.test");
  makeResponse("stapled.test");
  assert.equal((await server.reload()).status, 200);
  const after = await sent({ requestOCSP: true });
  assert.ok(read("stapled.test.ocsp").equals(after) && !before.equals(after));
});

test("TLS 1.1 is refused", async (t) => {
  const server = await start(t);
  await assert.rejects(dial(server, { minVersion: "TLSv1.1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" }));
  await until("it is counted", async () => (await server.metric("tidewire_tls_failed_no_common_total")) === 1);
});

test("HTTP without TLS is told so, and http:// addresses go on without", async (t) => {
  const server = await start(t);
  const answer = await fetch(`http://127.0.0.1:${server.port}/`);
  assert.equal(answer.status, 400);
  assert.match(await answer.text(), /speaks TLS: use https/);
  const plain = await Server.start(LAB, { args: ["--listen", "http://127.0.0.1:0", "--tls-cert", file("one.test.pem"), "--tls-key", file("one.test.key")] });
  t.after(() => plain.stop());
  const [, port] = await plain.logged(/https:\/\/127\.0\.0\.1:\d+\/, http:\/\/127\.0\.0\.1:(\d+)\//);
  const response = await fetch(`http://127.0.0.1:${port}/run`, { method: "POST", body: "return 200, 'plain'" });
  assert.equal(await response.text(), "plain");
});

test("a reload takes new certificates and closes nobody", async (t) => {
  makePair("renewed.test", { names: "DNS:renewed.test" });
  const server = await start(t, { workers: 2, tls: { cert: file("renewed.test.pem"), key: file("renewed.test.key") } });
  const name = { servername: "renewed.test" };
  const socket = await openSocket(server, name);
  const before = (await dial(server, name)).getPeerCertificate().fingerprint256;
  assert.equal((await server.reload()).status, 200);
  assert.equal((await dial(server, name)).getPeerCertificate().fingerprint256, before);
  makePair("renewed.test", { names: "DNS:renewed.test" });
  assert.equal((await server.reload()).status, 200);
  const seen = new Set();
  for (let i = 0; i < 8; i++) {
    const fresh = await dial(server, name);
    seen.add(fresh.getPeerCertificate().fingerprint256);
    fresh.destroy();
  }
  assert.equal(seen.size, 1);
  assert.ok(!seen.has(before));
  await echo(socket, "the same connection");
  socket.terminate();
});

test("a reload with a key that fits no more is refused, and the old pair goes on", async (t) => {
  makePair("torn.test");
  const server = await start(t, { tls: { cert: file("torn.test.pem"), key: file("torn.test.key") } });
  const good = read("torn.test.key");
  writeFileSync(file("torn.test.key"), read("two.test.key"));
  const { body } = await server.reload();
  assert.match(body, /torn\.test\.pem: the key is not the certificate's/);
  (await dial(server, { servername: "torn.test" })).destroy();
  assert.doesNotMatch(server.log, /PRIVATE KEY|BEGIN/);
  writeFileSync(file("torn.test.key"), good);
  assert.equal((await server.reload()).status, 200);
});

test("a session is resumed by whichever worker gets the next connection", async (t) => {
  const server = await start(t, { workers: 2 });
  const visit = async (options) => {
    const socket = await dial(server, options);
    let session;
    socket.on("session", (ticket) => (session = ticket));
    socket.write("GET /nothing HTTP/1.1\r\nHost: one.test\r\n\r\n");
    await within("an answer", once(socket, "data"));
    if (options.maxVersion === "TLSv1.2") {
      session = socket.getSession(); // came with the handshake
    }
    await until("a ticket", () => session);
    const isReused = socket.isSessionReused();
    socket.end();
    return { session, isReused };
  };
  for (const version of ["TLSv1.2", "TLSv1.3"]) {
    const options = { minVersion: version, maxVersion: version };
    let last = await visit(options);
    assert.ok(!last.isReused);
    for (let i = 0; i < 8; i++) {
      const session = last.session;
      const next = await visit({ ...options, session }).catch((error) => assert.fail(`${version}, ${i}: ${error.message}`));
      assert.ok(next.isReused, `${version}, ${i}`);
      last = next;
    }
  }
  assert.equal(await server.metric("tidewire_tls_resumptions_total"), 16);
});

test("a client certificate reaches on_upgrade and handlers", async (t) => {
  const script = new Scripts({ "main.lua": `local tw = require "tidewire"
    return tw.routes {
      ["/"] = tw.app {
        on_upgrade = function(req)
          local client = req.tls.client
          return client and { user = client.common_name, info = client } or nil, { status = 401 }
        end,
        on_open = function(conn) return conn:send { user = conn.user, info = conn.info } end,
      },
      ["POST /run"] = function(req) return 200, { client = req.tls.client or false } end,
    }` });
  t.after(() => script.remove());
  const client = { cert: file("one.test.pem"), key: file("one.test.key"), client: "request", client_ca: file("ca.pem") };
  const server = await start(t, { script: script.path(), tls: client });
  const ann = { cert: read("ann.pem"), key: read("ann.key") };
  const socket = new WebSocket(`wss://127.0.0.1:${server.port}/`, trusting(ann));
  const [message] = await within("who it is", once(socket, "message"));
  const { user, info } = JSON.parse(message);
  assert.equal(user, "ann");
  assert.equal(info.subject, "CN=ann,O=Example");
  assert.equal(info.issuer, "CN=ca");
  assert.deepEqual(info.names, { dns: ["ann.test", "www.ann.test"], ip: ["192.0.2.7"], email: ["ann@example.com"], uri: ["spiffe://example.com/ann"] });
  const print = openssl("x509", "-in", file("ann.pem"), "-noout", "-fingerprint", "-sha256").toString();
  assert.equal(info.fingerprint, print.trim().split("=")[1].replaceAll(":", "").toLowerCase());
  assert.ok(info.not_before < Date.now() / 1000 && Date.now() / 1000 < info.not_after);
  socket.terminate();
  assert.deepEqual(JSON.parse((await ask(server)).body), { client: false });
  assert.equal(JSON.parse((await ask(server, ann)).body).client.common_name, "ann");
  await assert.rejects(ask(server, { cert: read("eve.pem"), key: read("eve.key") }));
});

test("where certificates are required nobody else gets in", async (t) => {
  const server = await Server.start(LAB, { args: ["--tls-cert", file("one.test.pem"), "--tls-key", file("one.test.key"), "--tls-client", "require", "--tls-client-ca", file("ca.pem")] });
  t.after(() => server.stop());
  await assert.rejects(ask(server, { body: "return 200" }));
  const answer = await ask(server, { body: "return 200, 'in'", cert: read("ann.pem"), key: read("ann.key") });
  assert.equal(answer.body, "in");
  assert.equal(await server.metric("tidewire_tls_failed_certificate_total"), 1);
});

test("a listener of the file has certificates of its own", async (t) => {
  const scripts = new Scripts({
    "main.lua": `local tw = require "tidewire"
      return tw.routes { ["GET /"] = function(req) return 200, req.tls and req.tls.server_name or "plain" end }`,
    "config.lua": `return { admin = "off", workers = 1, listen = {
      { address = "127.0.0.1:0", tls = { cert = "two.pem", key = "two.key" } }, "127.0.0.1:0" } }`,
    "two.pem": read("two.test.pem"),
    "two.key": read("two.test.key"),
  });
  t.after(() => scripts.remove());
  chmodSync(scripts.path("two.key"), 0o600);
  const { spawn } = await import("node:child_process");
  const child = spawn(process.env.TIDEWIRE_BIN, ["run", scripts.path(), "--config", scripts.path("config.lua"), "--runtime-dir", scripts.path("run"), "--log-format", "logfmt"], { stdio: ["ignore", "ignore", "pipe"] });
  t.after(() => child.kill("SIGKILL"));
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (text) => (log += text));
  const found = await until("it is ready", () => /on https:\/\/127\.0\.0\.1:(\d+)\/, http:\/\/127\.0\.0\.1:(\d+)\//.exec(log));
  const secure = await ask({ port: Number(found[1]) }, { path: "/", method: "GET", servername: "two.test" });
  assert.equal(secure.body, "two.test");
  assert.equal(await (await fetch(`http://127.0.0.1:${found[2]}/`)).text(), "plain");
  const gone = once(child, "exit");
  child.kill("SIGTERM");
  assert.deepEqual(await within("its end", gone), [0, null]);
});

for (const [what, args, why] of [
  ["a key that all can read", () => ["--tls-cert", file("one.test.pem"), "--tls-key", file("open.key")], /holds a private key and is open to others/],
  ["no such file", () => ["--tls-cert", "/nowhere.pem"], /\/nowhere\.pem: No such file/],
  ["two certificates and one key", () => ["--tls-cert", file("one.test.pem"), "--tls-cert", file("two.test.pem"), "--tls-key", file("one.test.key")], /2 certificates and 1 keys/],
  ["https:// and no certificate", () => ["--listen", "https://127.0.0.1:0"], /there is no tls\.cert/],
  ["an OCSP response that is none", () => ["--tls-cert", file("one.test.pem"), "--tls-key", file("one.test.key"), "--tls-ocsp", file("one.test.pem")], /one\.test\.pem: holds no OCSP response in DER/],
  ["an OCSP response and no certificate", () => ["--tls-ocsp", file("one.test.pem")], /an OCSP response and no certificate/],
  ["clients without a CA", () => ["--tls-cert", file("one.test.pem"), "--tls-key", file("one.test.key"), "--tls-client", "require"], /need a client_ca/],
]) {
  test(`it does not start with ${what}`, async () => {
    writeFileSync(file("open.key"), read("one.test.key"), { mode: 0o644 });
    const flags = args();
    const listen = flags[0] === "--listen" ? [] : ["--listen", "127.0.0.1:0"];
    const end = await run(["run", LAB, "--admin", "off", ...listen, ...flags]);
    assert.notEqual(end.code, 0);
    assert.match(end.stderr, why);
    assert.doesNotMatch(end.stderr, /PRIVATE KEY/);
  });
}

test("a slow reader over TLS loses what its class gives up, and nothing else", async (t) => {
  const server = await start(t, { settings: { limits: { publication_budget: "64KiB" } } });
  const socket = await openSocket(server);
  socket.send("!conn:subscribe('slow:old:x')");
  await echo(socket, "subscribed");
  socket.pause();
  const fill = "for i = 1, 200 do lab.n = (lab.n or 0) + 1 tw.publish('slow:old:x', lab.n .. (' '):rep(20000)) end return 200, tostring(lab.n)";
  let sent = 0;
  await until("something is dropped", async () => {
    sent = Number((await ask(server, { body: fill })).body);
    return (await server.metric("tidewire_deliveries_dropped_total")) > 0;
  });
  const numbers = [];
  socket.on("message", (data) => numbers.push(parseInt(data, 10)));
  socket.resume();
  await until("the newest arrives", () => numbers.at(-1) === sent);
  assert.deepEqual(numbers, [...numbers].sort((a, b) => a - b));
  assert.equal(new Set(numbers).size, numbers.length);
  await until("all are accounted for", async () => {
    const text = await server.metrics();
    const value = (name) => server.metric(`tidewire_deliveries${name}_total`, "", text);
    return (await value("")) === numbers.length && (await value("")) + (await value("_dropped")) === (await value("_intended"));
  });
  socket.terminate();
});
