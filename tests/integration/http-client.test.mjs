/* http-client.test.mjs - tw.http against real servers, well behaved and not.
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import net from "node:net";
import { after, afterEach, before, describe, test } from "node:test";
import { Scripts, Server, until, within } from "./harness.mjs";

/* POST /ask: a request as JSON, and what the script gets. */
const MAIN = `local tw = require "tidewire"
return tw.routes {
    ["POST /ask"] = function(req)
        local options = req:json()
        local parse = options.parse
        options.parse = nil
        local res, err = tw.http.request(options)
        if not res then
            return 200, { error = err.code, message = err.message }
        end
        local value, wrong
        if parse then
            value, wrong = res:json()
        end
        return 200, { status = res.status, headers = res.headers, body = not parse and res.body or nil, value = value, wrong = wrong and wrong.code }
    end,
    ["POST /get"] = function(req)
        local res, err = tw.http.get(req.body, { query = { a = { 1, "zwei & drei" } } })
        return 200, res and res.body or tostring(err)
    end,
    ["POST /post"] = function(req)
        local res, err = tw.http.post(req.body, { "a", 1 })
        return 200, res and res.body or tostring(err)
    end,
    ["POST /raise"] = function(req)
        local ok, err = pcall(load("local tw = require 'tidewire' return " .. req.body))
        return 200, { ok = ok, error = tostring(err) }
    end,
    ["GET /fine"] = function() return 200, "fine" end,
}
`;

const scripts = new Scripts({ "main.lua": MAIN });
const file = (name) => scripts.path(name);
const later = [];

afterEach(async () => {
  for (const undo of later.splice(0).reverse()) {
    await undo();
  }
});
after(() => scripts.remove());

/* A server of the test's own; `requests` are those that came. */
async function backend(handler, { create = http.createServer, host = "127.0.0.1", ...options } = {}) {
  const server = create(options, handler);
  const sockets = new Set();
  server.on("connection", (socket) => {
    socket.on("error", () => {});
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  server.listen(0, host);
  await once(server, "listening");
  later.push(async () => {
    server.close();
    sockets.forEach((socket) => socket.destroy());
  });
  const { port } = server.address();
  return { server, port, sockets, url: `http://${host.includes(":") ? `[${host}]` : host}:${port}` };
}

/* One that hears when the other side leaves. */
const raw = (onSocket) => backend((socket) => {
  socket.on("data", () => {});
  onSocket(socket);
}, { create: (_, handler) => net.createServer(handler) });

async function serve(settings = {}, more = {}) {
  const server = await Server.start(file("main.lua"), { settings, ...more });
  later.push(() => server.stop());
  return server;
}

const send = async (server, path, body) => (await fetch(`http://127.0.0.1:${server.port}${path}`, { method: "POST", body }));
const ask = async (server, options) => (await send(server, "/ask", JSON.stringify(options))).json();

const echo = (req, res) => {
  let body = "";
  req.setEncoding("utf8").on("data", (text) => (body += text)).on("end", () => {
    res.setHeader("content-type", "application/json");
    res.end(JSON.stringify({ method: req.method, url: req.url, headers: req.headers, body }));
  });
};

describe("what is said and heard", () => {
  test("a request arrives as it was made, and its answer as it was given", async () => {
    const server = await serve();
    const { url } = await backend(echo);
    const options = { url: `${url}/path?x=1#part`, method: "PATCH", body: { n: 1 }, query: { q: "ä b" }, headers: { "X-Mine": "yes", "X-Two": ["a", "b"] }, parse: true };
    const { status, value } = await ask(server, options);
    assert.equal(status, 200);
    assert.equal(value.method, "PATCH");
    assert.equal(value.url, "/path?x=1&q=%C3%A4%20b");
    assert.equal(value.body, '{"n":1}');
    assert.equal(value.headers["content-type"], "application/json");
    assert.equal(value.headers["x-mine"], "yes");
    assert.equal(value.headers["x-two"], "a, b");
    assert.equal(value.headers.expect, undefined);
    assert.equal(JSON.parse(await (await send(server, "/get", `${url}/`)).text()).url, "/?a=1&a=zwei%20%26%20drei");
    assert.equal(JSON.parse(await (await send(server, "/post", `${url}/`)).text()).body, '["a",1]');
  });

  test("any status is an answer", async () => {
    const server = await serve();
    const { url } = await backend((req, res) => {
      res.writeHead(Number(req.url.slice(1)), [["Set-Cookie", "a=1"], ["set-cookie", "b=2"]]).end("words");
    });
    for (const status of [200, 201, 302, 404, 418, 500]) {
      const answer = await ask(server, { url: `${url}/${status}` });
      assert.equal(answer.status, status);
      assert.equal(answer.body, "words");
      assert.equal(answer.headers["set-cookie"], "a=1, b=2");
    }
    const { wrong } = await ask(server, { url: `${url}/200`, parse: true });
    assert.equal(wrong, "invalid");
  });

  test("a large body goes there and comes back", async () => {
    const server = await serve();
    const { url } = await backend((req, res) => req.pipe(res));
    const body = "tea ".repeat(100_000);
    const answer = await ask(server, { url, method: "POST", body });
    assert.equal(answer.body, body);
  });

  test("wrong types raise, malformed texts are errors", async () => {
    const server = await serve();
    const raise = async (text) => (await send(server, "/raise", text)).json();
    assert.match((await raise("tw.http.get()")).error, /tw\.http\.get: url must be a string/);
    assert.match((await raise("tw.http.request {}")).error, /tw\.http\.request: url is missing/);
    assert.match((await raise("tw.http.get('http://a', { timeot = 1 })")).error, /did you mean 'timeout'/);
    assert.match((await raise("tw.http.get('http://a', { headers = { a = {} , b = true } })")).error, /header 'b' must be a string/);
    assert.match((await raise("tw.http.get('http://a', { redirects = 11 })")).error, /redirects must be/);
    const answer = await ask(server, { url: "http://127.0.0.1:1/", headers: { "X-Name": "eve\r\nX-Admin: 1" } });
    assert.equal(answer.error, "invalid");
    assert.equal((await ask(server, { url: "file:///etc/passwd" })).error, "invalid");
    assert.equal((await ask(server, { url: "http://127.0.0.1:1/\r\nX: y" })).error, "invalid");
  });

  test("IPv6", async (t) => {
    const here = await backend(echo, { host: "::1" }).catch(() => null);
    if (!here) {
      t.skip("no IPv6 here");
      return;
    }
    const server = await serve();
    assert.equal((await ask(server, { url: `${here.url}/six`, parse: true })).value.url, "/six");
  });

  test("nothing comes from the environment", async () => {
    const { url, server: proxy } = await backend(() => {});
    let asked = 0;
    proxy.on("request", () => asked++).on("connect", () => asked++);
    const server = await serve({}, { env: { http_proxy: url, https_proxy: url, all_proxy: url, ALL_PROXY: url } });
    const there = await backend(echo);
    assert.equal((await ask(server, { url: there.url })).status, 200);
    assert.equal(asked, 0);
  });

  test("a proxy that is configured is asked", async () => {
    const proxy = await backend(echo);
    const server = await serve({ http: { proxy: proxy.url } });
    const { value } = await ask(server, { url: "http://far.test/page", parse: true });
    assert.equal(value.url, "http://far.test/page");
  });
});

/* Says it again and again, for as long as somebody takes it. */
function endless(socket, first, again) {
  socket.write(first);
  const more = () => {
    if (!socket.destroyed && !socket.writableNeedDrain) {
      socket.write(again);
      setImmediate(more);
    }
  };
  socket.on("drain", () => setImmediate(more));
  more();
}

describe("those who do not behave", () => {
  const misbehaviours = [
    ["no answer", () => {}, {}, "timeout"],
    ["half an answer", (socket) => socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")), {}, "unavailable"],
    ["a reset", (socket) => socket.once("data", () => socket.resetAndDestroy()), {}, "unavailable"],
    ["nothing but the end", (socket) => socket.end(), {}, "unavailable"],
    ["another protocol", (socket) => socket.end("SSH-2.0-OpenSSH\r\n"), {}, "invalid"],
    ["an endless body", (socket) => {
      socket.once("data", () => endless(socket, "HTTP/1.1 200 OK\r\n\r\n", "x".repeat(65536)));
    }, { timeout: 300 }, "limit"],
    ["an endless head", (socket) => {
      socket.once("data", () => endless(socket, "HTTP/1.1 200 OK\r\n", `X-${"a".repeat(900)}: b\r\n`));
    }, { timeout: 300 }, "limit"],
    ["a chunk that never ends", (socket) => socket.once("data", () => socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab")), {}, "timeout"],
  ];
  for (const [what, onSocket, options, code] of misbehaviours) {
    test(`${what}: ${code}`, async () => {
      const server = await serve();
      const { url, sockets } = await raw(onSocket);
      const answer = await ask(server, { url, timeout: 0.5, ...options });
      assert.equal(answer.error, code, answer.message);
      await until("its connection is closed", () => sockets.size === 0);
    });
  }

  test("a byte now and then: timeout", async () => {
    const server = await serve();
    const { url } = await raw((socket) => {
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
      const timer = setInterval(() => socket.write("x"), 20);
      socket.on("close", () => clearInterval(timer));
    });
    assert.equal((await ask(server, { url, timeout: 1 })).error, "timeout");
  });

  test("a host that fails is left alone, and found again", async () => {
    const server = await serve({ limits: { http_failures: 3, http_pause: 0.2 } }, { admin: "127.0.0.1:0" });
    let isUp = false;
    const { url, port } = await raw((socket) => {
      socket.once("data", () => (isUp ? socket.end("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nup") : socket.resetAndDestroy()));
    });
    for (let i = 0; i < 3; i++) {
      const { error, message } = await ask(server, { url });
      assert.equal(error, "unavailable");
      assert.ok(message.includes(`http://127.0.0.1:${port}`), message);
    }
    await until("it is left alone", async () => (await ask(server, { url })).message?.includes("left alone"));
    isUp = true;
    await until("it is asked again", async () => (await ask(server, { url })).body === "up");
    assert.equal((await ask(server, { url })).body, "up");
    assert.ok((await server.metric("tidewire_http_client_breaker_refused_total")) > 0);
    assert.equal(await server.metric("tidewire_http_client_open_breakers"), 0);
  });
});

describe("redirects", () => {
  const chain = (req, res) => {
    const n = Number(/^\/(\d+)/.exec(req.url)?.[1] ?? 0);
    if (n > 0) {
      res.writeHead(302, { location: `/${n - 1}` }).end("elsewhere");
    } else {
      echo(req, res);
    }
  };

  test("are not followed unless asked for, and not for ever", async () => {
    const server = await serve();
    const { url } = await backend(chain);
    assert.equal((await ask(server, { url: `${url}/1` })).status, 302);
    assert.equal((await ask(server, { url: `${url}/3`, redirects: 3, parse: true })).value.url, "/0");
    assert.equal((await ask(server, { url: `${url}/4`, redirects: 3 })).error, "limit");
  });

  test("take no secrets to another host, and no body where it is not wanted", async () => {
    const server = await serve();
    const there = await backend(echo);
    const here = await backend((req, res) => {
      const [, status, where] = req.url.split("/");
      if (status === "200") {
        echo(req, res);
        return;
      }
      res.writeHead(Number(status), { location: where === "far" ? `${there.url}/end` : "/200/end" }).end();
    });
    const headers = { Authorization: "Bearer x", Cookie: "a=b", "X-Kept": "yes" };
    const go = async (path) => (await ask(server, { url: `${here.url}${path}`, method: "POST", body: "secret", headers, redirects: 1, parse: true })).value;
    const far = await go("/307/far");
    assert.deepEqual([far.method, far.body, far.headers.authorization, far.headers.cookie, far.headers["x-kept"]], ["POST", "secret", undefined, undefined, "yes"]);
    const near = await go("/308/near");
    assert.deepEqual([near.method, near.body, near.headers.authorization], ["POST", "secret", "Bearer x"]);
    for (const status of [301, 302, 303]) {
      const bare = await go(`/${status}/near`);
      assert.deepEqual([bare.method, bare.body, bare.headers["content-type"]], ["GET", "", undefined]);
    }
  });

  test("lead to http and https only", async () => {
    const server = await serve();
    const { url } = await backend((req, res) => res.writeHead(302, { location: "file:///etc/passwd" }).end());
    assert.equal((await ask(server, { url, redirects: 1 })).error, "denied");
  });
});

describe("TLS", () => {
  const openssl = (...args) => execFileSync("openssl", args, { stdio: "pipe" });

  before(() => {
    scripts.write("extensions", "subjectAltName=IP:127.0.0.1\n");
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    openssl("req", "-x509", ...key, "-days", "2", "-subj", "/CN=ca", "-keyout", file("ca.key"), "-out", file("ca.pem"));
    openssl("req", ...key, "-subj", "/CN=backend", "-keyout", file("key.pem"), "-out", file("request"));
    openssl("x509", "-req", "-in", file("request"), "-days", "2", "-CA", file("ca.pem"), "-CAkey", file("ca.key"), "-CAcreateserial", "-extfile", file("extensions"), "-out", file("cert.pem"));
  });

  const secure = async (handler) => {
    const there = await backend(handler, { create: https.createServer, key: readFileSync(file("key.pem")), cert: readFileSync(file("cert.pem")) });
    return { ...there, url: there.url.replace("http", "https") };
  };

  test("a certificate that nobody trusted has signed is refused", async () => {
    const server = await serve();
    const { url } = await secure(echo);
    const { error, message } = await ask(server, { url });
    assert.equal(error, "denied", message);
  });

  test("one for another name, too", async () => {
    const server = await serve({ http: { ca: file("ca.pem") } });
    const { port } = await secure(echo);
    const { error, message } = await ask(server, { url: `https://localhost:${port}/` });
    assert.equal(error, "denied", message);
  });

  test("those that a configured CA signed are trusted; nothing leads back to http", async () => {
    const server = await serve({ http: { ca: file("ca.pem") } });
    const plain = await backend(echo);
    const { url } = await secure((req, res) => (req.url === "/back" ? res.writeHead(302, { location: plain.url }).end() : echo(req, res)));
    assert.equal((await ask(server, { url: `${url}/in`, parse: true })).value.url, "/in");
    assert.equal((await ask(server, { url: `${url}/back`, redirects: 1 })).error, "denied");
  });
});

describe("many, and the end of things", () => {
  test("three hundred at once share twenty connections", async () => {
    const server = await serve();
    let now = 0, most = 0;
    const { url, sockets, server: node } = await backend((req, res) => {
      most = Math.max(most, ++now);
      setTimeout(() => {
        now--;
        res.end(req.url);
      }, 5);
    });
    let opened = 0;
    node.on("connection", () => opened++);
    const answers = await Promise.all(Array.from({ length: 300 }, (_, i) => ask(server, { url: `${url}/${i}`, timeout: 300 })));
    assert.deepEqual(answers.map(({ body }) => body), answers.map((_, i) => `/${i}`));
    assert.ok(most <= 20, `${most} at once`);
    assert.ok(opened <= 40, `${opened} connections`);
    assert.ok(sockets.size <= 20);
  });

  test("a reload lets a request end in its generation", async () => {
    const server = await serve();
    let answer;
    const { url, server: node } = await backend((req, res) => (answer = () => res.end("late")));
    const asked = ask(server, { url, timeout: 300 });
    await once(node, "request");
    await server.reload();
    assert.equal(await (await fetch(`http://127.0.0.1:${server.port}/fine`)).text(), "fine");
    answer();
    assert.equal((await asked).body, "late");
  });

  test("a generation that is over calls its requests off", async () => {
    const server = await serve({ lua: { retire: 0.2 } });
    const { url, sockets, server: node } = await backend(() => {});
    const asked = send(server, "/ask", JSON.stringify({ url, timeout: 300 }));
    await once(node, "request");
    await server.reload();
    assert.equal((await asked).status, 503);
    await until("the backend is left", () => sockets.size === 0);
  });

  test("a hook that waited long enough leaves the backend", async () => {
    const server = await serve({ lua: { wait: 0.3 } });
    const { url, sockets } = await backend(() => {});
    assert.equal((await ask(server, { url, timeout: 300 })).error, "timeout");
    await until("the backend is left", () => sockets.size === 0);
  });

  test("the server ends with requests under way", async () => {
    const server = await Server.start(file("main.lua"), { args: ["--drain", "100ms"] });
    const { url, sockets, server: node } = await backend(() => {});
    const asked = send(server, "/ask", JSON.stringify({ url, timeout: 300 })).catch((error) => error);
    await once(node, "request");
    await server.stop();
    await within("the client is left", asked);
    await until("the backend is left", () => sockets.size === 0);
  });
});
