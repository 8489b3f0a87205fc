/* HTTP on the same port: messages, routes, handlers, limits, and requests that
 * two servers might read differently. SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Server } from "../integration/harness.mjs";
import { Socket, readResponse } from "../integration/socket.mjs";
import { eachFeed, serve } from "./suite.mjs";
import { upgrade } from "./wire.mjs";

const site = serve();

const get = (path, headers = "") => `GET ${path} HTTP/1.1\r\nHost: a\r\n${headers}\r\n`;
const send = (method, path, body, headers = "") =>
  `${method} ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${headers}\r\n${body}`;
const chunked = (body, headers = "") => `POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n${headers}\r\n${body}`;

/* The answers to all requests on one connection, in order. */
function answers(name, requests, ...checks) {
  eachFeed(name, async (feed) => {
    const socket = await Socket.connect(site.port);
    await feed(socket, Buffer.from([requests].flat().join(""), "latin1"));
    for (const check of checks) {
      await check(await readResponse(socket, check.isHead), socket);
    }
    socket.cut();
  });
}

function is(status, body, headers = {}) {
  return (response) => {
    assert.ok(response, "an answer");
    assert.equal(response.status, status, response.body);
    body !== undefined && assert.equal(response.body, body);
    for (const [header, value] of Object.entries(headers)) {
      assert.ok(value instanceof RegExp ? value.test(response.headers[header]) : value === response.headers[header], `${header}: ${response.headers[header]}`);
    }
  };
}

/* After this answer the connection ends in order, with nothing more. */
async function ended(_, socket) {
  assert.equal(socket.pending, 0, "nothing follows");
  assert.equal(socket.error, null);
}
ended.isHead = true;

/* The request is refused and its connection ended: what follows is not read. */
function refuses(name, request, status, headers = {}) {
  answers(name, [request, get("/hello")], is(status, undefined, { connection: "close", ...headers }), async (response, socket) => {
    assert.equal(response, null, "only one answer");
    await ended(response, socket);
  });
}

/* ---- answers ---- */

answers("RFC 9112 4: a handler's status and text are the answer", get("/hello"), is(200, "hello you", { "content-type": "text/plain; charset=utf-8", "content-length": "9" }));
answers("RFC 9110 6.6.1: an answer has a Date", get("/hello"), is(200, undefined, { date: /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/ }));
answers("a table is answered as JSON", get("/doc/42?x=1&y=a%20b&x=2"), (response) => {
  is(200, undefined, { "content-type": "application/json" })(response);
  assert.deepEqual(JSON.parse(response.body), { id: "42", query: { x: "2", y: "a b" } });
});
answers("RFC 3986 2.1: path parameters are decoded", get("/doc/a%20%C3%BC"), (response) => assert.equal(JSON.parse(response.body).id, "a ü"));
answers("RFC 9110 15.3.5: 204 has no body and no length", [get("/empty"), get("/hello")], is(204, "", { "content-length": undefined }), is(200));
answers("RFC 6265 3: a header with a list is sent once per value", get("/headers"), (response) => {
  assert.deepEqual(response.lines.filter((line) => /^set-cookie:/i.test(line)).map((line) => line.split(": ")[1]), ["a=1", "b=2"]);
});
answers("RFC 9110 5.3: repeated headers reach a script joined", get("/headers", "X-A: 1\r\nx-a: 2\r\n"), (response) => assert.equal(JSON.parse(response.body)["x-a"], "1, 2"));
answers("RFC 6265 5.4: cookies reach a script by name", get("/cookies", "Cookie: a=1; b=two\r\n"), (response) =>
  assert.deepEqual(JSON.parse(response.body), { a: "1", b: "two" }),
);
answers("a handler that raises is answered with 500 and says nothing of why", get("/raises"), (response) => {
  is(500)(response);
  assert.doesNotMatch(response.body, /on purpose/);
});
answers("RFC 9112 9.3.2: answers keep the order of their requests while a handler waits", [get("/slowly"), get("/hello")], is(200, "slowly"), is(200, "hello you"));

/* ---- bodies ---- */

for (const size of [0, 1, 1000, 70_000]) {
  answers(`RFC 9112 6.2: a body of ${size} bytes reaches the handler`, send("POST", "/body", "b".repeat(size)), is(200, "b".repeat(size)));
}
answers("RFC 9112 7.1: a chunked body is put together", chunked("3\r\nabc\r\n5\r\ndefgh\r\n0\r\n\r\n"), is(200, "abcdefgh"));
answers("RFC 9112 7.1: chunk sizes are hexadecimal, in any letters", chunked("A\r\n0123456789\r\n0b\r\nabcdefghijk\r\n0\r\n\r\n"), is(200, "0123456789abcdefghijk"));
answers("RFC 9112 7.1.1: chunk extensions are passed over", chunked("3;a=b\r\nabc\r\n0;last\r\n\r\n"), is(200, "abc"));
answers("RFC 9112 7.1.2: trailers are passed over", chunked("3\r\nabc\r\n0\r\nX-Trailer: t\r\n\r\n"), is(200, "abc"));
answers("RFC 9112 9.3: a request may follow a body", [send("POST", "/body", "one"), chunked("3\r\ntwo\r\n0\r\n\r\n"), get("/hello")], is(200, "one"), is(200, "two"), is(200, "hello you"));
answers("a JSON body is decoded for the handler", send("POST", "/json", '{"a":[1,2,{"b":[]}]}'), is(200, '{"a":[1,2,{"b":[]}]}'));
answers("a bad JSON body is an error of the handler's", send("POST", "/json", '{"a":'), is(400, '{"error":"invalid"}'));
answers(
  "RFC 9110 10.1.1: 100-continue is answered before the body",
  "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n",
  async (response, socket) => {
    is(100)(response);
    await socket.write("abc");
  },
  is(200, "abc"),
);
refuses("RFC 9110 15.5.14: a body announced as too long is answered with 413", "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n", 413);
refuses("RFC 9110 15.5.14: a chunked body that grows too long is answered with 413", chunked("100001\r\n"), 413);
refuses("RFC 9110 15.5.18: another expectation is answered with 417", get("/hello", "Expect: the-unexpected\r\n"), 417);

/* ---- connections ---- */

answers("RFC 9112 9.3: HTTP/1.1 keeps the connection", [get("/hello"), get("/hello?name=a"), get("/hello?name=b")], is(200, "hello you"), is(200, "hello a"), is(200, "hello b"));
answers("RFC 9112 9.6: Connection: close ends it after the answer", get("/hello", "Connection: close\r\n"), is(200, "hello you", { connection: "close" }), ended);
answers("RFC 9112 9.3: HTTP/1.0 ends it after the answer", "GET /hello HTTP/1.0\r\n\r\n", is(200, "hello you", { connection: "close" }), ended);
answers("RFC 9112 9.3: HTTP/1.0 may ask to keep it", ["GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", get("/hello")], is(200, "hello you", { connection: /keep-alive/i }), is(200));
answers("RFC 9112 9.6: what follows Connection: close is not read", [get("/hello", "Connection: close\r\n"), get("/hello")], is(200), ended);
answers("RFC 9112 9.3.2: many requests may be pipelined", Array.from({ length: 50 }, (_, i) => get(`/hello?name=${i}`)), ...Array.from({ length: 50 }, (_, i) => is(200, `hello ${i}`)));
test("RFC 9112 9.8: a client that ends its side still gets its answer", async () => {
  const socket = await Socket.connect(site.port);
  await socket.write(get("/slowly"));
  socket.finish();
  is(200, "slowly")(await readResponse(socket));
  assert.ok(await socket.isFinished());
  socket.cut();
});
test("RFC 9112 9.5: a silent connection is ended without an answer, a begun request with 408", async (t) => {
  const server = await Server.start(site.server.script, { settings: { limits: { http_idle: 2, handshake: 2 } } });
  t.after(() => server?.stop());
  const [silent, begun] = [await Socket.connect(server.port), await Socket.connect(server.port)];
  await begun.write("GET /hello HTT");
  assert.equal((await readResponse(begun)).status, 408);
  assert.equal((await silent.readAll()).length, 0);
  silent.cut();
  begun.cut();
});
test("RFC 9110 15.6.4: a handler that takes too long is answered with 503", async (t) => {
  const server = await Server.start(site.server.script, { settings: { limits: { http_handler: 0.05 } } });
  t.after(() => server?.stop());
  const socket = await Socket.connect(server.port);
  await socket.write(get("/never"));
  assert.equal((await readResponse(socket)).status, 503);
  socket.cut();
});

/* ---- methods and routes ---- */

const headOf = (check) => Object.assign((response) => check(response), { isHead: true });
answers("RFC 9110 9.3.2: HEAD is answered as GET, without the body", ["HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\n", get("/hello")], headOf(is(200, "", { "content-length": "9" })), is(200, "hello you"));
answers("RFC 9110 15.5.5: what is not served is answered with 404", [get("/nowhere"), get("/hello")], is(404), is(200));
answers("RFC 9110 15.5.5: a path is served as a whole", get("/hello/more"), is(404));
answers("RFC 9110 15.5.6: another method is answered with 405 and Allow", send("DELETE", "/body", ""), (response) => {
  is(405)(response);
  assert.deepEqual(response.headers.allow.split(/, */).sort(), ["POST", "PUT"]);
});
answers("RFC 9110 9.3.2: Allow has HEAD where it has GET", send("POST", "/hello", ""), is(405, undefined, { allow: /^(?=.*\bGET\b)(?=.*\bHEAD\b)/ }));
answers("RFC 9110 9.3.4: methods of one path have handlers of their own", [send("PUT", "/body", "four"), send("POST", "/body", "four")], is(201, '{"bytes":4}'), is(200, "four"));
refuses("RFC 9110 15.6.2: an unknown method is answered with 501", "BREW /hello HTTP/1.1\r\nHost: a\r\n\r\n", 501);
refuses("RFC 9110 9.3.6: CONNECT is answered with 501", "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", 501);

/* ---- limits of a head ---- */

answers("RFC 6585 5: a head of nearly 16 KiB is taken", get("/hello", `X: ${"x".repeat(16_300)}\r\n`), is(200));
refuses("RFC 6585 5: a longer one is answered with 431", get("/hello", `X: ${"x".repeat(16_400)}\r\n`), 431);
refuses("RFC 6585 5: many short lines are answered with 431", get("/hello", "X: x\r\n".repeat(500)), 431);
refuses("RFC 9112 3: a target that is too long is answered with 414", get(`/${"p".repeat(9000)}`), 414);
refuses("RFC 9112 7.1: a chunk extension without an end is refused", chunked(`3;${"e".repeat(20_000)}`), 400);

/* ---- requests that are none ---- */

for (const [name, request] of [
  ["a request line without a version", "GET /hello\r\nHost: a\r\n\r\n"],
  ["two blanks in the request line", "GET  /hello HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["a tab in the request line", "GET\t/hello\tHTTP/1.1\r\nHost: a\r\n\r\n"],
  ["a blank at the end of the request line", "GET /hello HTTP/1.1 \r\nHost: a\r\n\r\n"],
  ["bytes that are no HTTP", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"],
  ["no Host", "GET /hello HTTP/1.1\r\n\r\n"],
  ["two Hosts", "GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"],
  ["a blank before a colon", get("/hello", "X : x\r\n")],
  ["a header without a name", get("/hello", ": x\r\n")],
  ["a header without a colon", get("/hello", "X\r\n")],
  ["a folded header", get("/hello", "X: x\r\n y\r\n")],
  ["a zero byte in a header", get("/hello", "X: a\0b\r\n")],
  ["a control byte in a header", get("/hello", "X: a\x01b\r\n")],
  ["a bare line feed in a head", "GET /hello HTTP/1.1\nHost: a\n\n"],
  ["a bare carriage return in a header", get("/hello", "X: a\rb\r\n")],
  ["a fragment in the target", get("/hello#x")],
  ["a backslash in the target", get("/hello\\x")],
  ["a byte over 0x7E in the target", get("/h\xfcllo")],
  ["a bad escape in the path", get("/hello%zz")],
  ["a cut escape in the path", get("/hello%4")],
  ["a zero byte in the path", get("/hello%00")],
  ["an escaped slash in the path", get("/doc/a%2fb")],
]) {
  refuses(`RFC 9112 3: ${name} is answered with 400`, request, 400);
}

/* ---- smuggling: whatever could be read in two ways ---- */

for (const [name, request] of [
  ["Content-Length and Transfer-Encoding together", "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
  ["Transfer-Encoding before Content-Length", "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n"],
  ["two different Content-Lengths", "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"],
  ["two equal Content-Lengths", "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc"],
  ["a list of Content-Lengths", "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\nabc"],
  ["a Content-Length with a sign", "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc"],
  ["a negative Content-Length", "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n"],
  ["a hexadecimal Content-Length", "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 0x3\r\n\r\nabc"],
  ["a Content-Length with a blank in it", "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 3 3\r\n\r\nabc"],
  ["an empty Content-Length", "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n"],
  ["a Content-Length beyond 64 bits", "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551617\r\n\r\n"],
  ["a coding after chunked", "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"],
  ["chunked twice", "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"],
  ["chunked in two lines", "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
  ["a coding that looks like chunked", "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"],
  ["a coding with a parameter", "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n"],
  ["Transfer-Encoding: identity", "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n"],
  ["an empty Transfer-Encoding", "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n"],
  ["Transfer-Encoding with a vertical tab", "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n"],
  ["Transfer-Encoding with a blank before the colon", "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n"],
  ["Transfer-Encoding in HTTP/1.0", "POST /body HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
  ["a chunk size that is none", chunked("x\r\n")],
  ["a chunk size with a sign", chunked("+3\r\nabc\r\n0\r\n\r\n")],
  ["a chunk size with 0x", chunked("0x3\r\nabc\r\n0\r\n\r\n")],
  ["a chunk size with a blank after it", chunked("3 \r\nabc\r\n0\r\n\r\n")],
  ["a chunk size beyond 64 bits", chunked("10000000000000003\r\nabc\r\n0\r\n\r\n")],
  ["an empty chunk size", chunked("\r\nabc\r\n0\r\n\r\n")],
  ["a chunk longer than its size", chunked("3\r\nabcd\r\n0\r\n\r\n")],
  ["a chunk without an end of line", chunked("3\r\nabc0\r\n\r\n")],
  ["a bare line feed after a chunk size", chunked("3\nabc\r\n0\r\n\r\n")],
  ["a bare line feed after a chunk", chunked("3\r\nabc\n0\r\n\r\n")],
  ["a malformed trailer", chunked("0\r\nX : x\r\n\r\n")],
  ["a folded Transfer-Encoding", "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"],
  ["a length behind a bare carriage return", "POST /body HTTP/1.1\r\nHost: a\r\nX: x\rContent-Length: 40\r\n\r\n"],
  ["a length behind a bare line feed", "POST /body HTTP/1.1\r\nHost: a\r\nX: x\nContent-Length: 40\r\n\r\n"],
  ["two equal Hosts", "GET /hello HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"],
  ["a list of Hosts", "GET /hello HTTP/1.1\r\nHost: a, b\r\n\r\n"],
  ["an absolute target that names another host", "GET http://b/hello HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["an absolute target without a host", "GET http:///hello HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["an absolute target of another scheme", "GET ftp://a/hello HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["an upgrade with a length", upgrade("/echo", { "Content-Length": "40" })],
  ["an upgrade with chunks", upgrade("/echo", { "Transfer-Encoding": "chunked" }) + "0\r\n\r\n"],
]) {
  refuses(`RFC 9112 11.2: ${name} is answered with 400`, request, 400);
}
refuses("RFC 9112 6.1: a coding before chunked is answered with 501", "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501);

/* ---- upgrades: nothing behind a refused one is a request ---- */

refuses("RFC 9110 7.8: what follows an upgrade of no app is not read", upgrade("/nowhere"), 404);
refuses("RFC 6455 4.2.2: what follows an upgrade of another version is not read", upgrade("/echo", { "Sec-WebSocket-Version": "12" }), 426);
refuses("RFC 6455 4.2.1: what follows an upgrade without a key is not read", upgrade("/echo", { "Sec-WebSocket-Key": null }), 400);
refuses("RFC 6455 4.2.1: what follows an upgrade from a foreign origin is not read", upgrade("/echo", { Origin: "http://elsewhere.test" }), 403);
