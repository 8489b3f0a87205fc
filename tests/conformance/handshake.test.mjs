/* The opening handshake: every rule of the request, every line of the answer.
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Server } from "../integration/harness.mjs";
import { Socket, readResponse } from "../integration/socket.mjs";
import { eachFeed, openSocket, serve } from "./suite.mjs";
import { KEY, acceptOf, assertSwitched, echo, next, text, upgrade } from "./wire.mjs";

const site = serve();

/* The request is accepted, and what rides with it is the first frame. */
function accepts(name, request, check = () => {}) {
  eachFeed(name, async (feed) => {
    const socket = await Socket.connect(site.port);
    await feed(socket, Buffer.concat([Buffer.from(request, "latin1"), text("first")]));
    const response = await readResponse(socket);
    assertSwitched(response, /Sec-WebSocket-Key:\s*(\S+)/i.exec(request)[1]);
    assert.equal(await next(socket), echo("first"));
    check(response);
    socket.cut();
  });
}

/* The request is refused, and what is pipelined behind it is no request. */
function refuses(name, request, status, headers = {}) {
  eachFeed(name, async (feed) => {
    const socket = await Socket.connect(site.port);
    await feed(socket, Buffer.from(`${request}GET /hello HTTP/1.1\r\nHost: a\r\n\r\n`, "latin1"));
    const response = await readResponse(socket, request.startsWith("HEAD"));
    assert.equal(response.status, status, response.body);
    assert.equal(response.headers.connection, "close");
    assert.equal(response.headers["sec-websocket-accept"], undefined);
    for (const [header, value] of Object.entries(headers)) {
      assert.equal(response.headers[header], value);
    }
    assert.equal((await socket.readAll()).toString(), "", "one answer and no other");
    assert.equal(socket.error, null, "the answer is followed by FIN, not by a reset");
    socket.cut();
  });
}

const ask = (headers, options) => upgrade("/echo", headers, options);
const raw = (...lines) => `${lines.join("\r\n")}\r\n\r\n`;

/* ---- the answer ---- */

test("RFC 6455 1.3: the sample key has the sample answer", () => {
  assert.equal(acceptOf(KEY), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
});
accepts("RFC 6455 4.2.2: a plain request is answered with 101 and the accept value", ask(), (response) => {
  assert.equal(response.reason, "Switching Protocols");
  assert.deepEqual(Object.keys(response.headers).sort(), ["connection", "sec-websocket-accept", "upgrade"]);
});
for (const key of ["AAAAAAAAAAAAAAAAAAAAAA==", "/////////////////////w==", "x3JJHMbDL1EzLkh9GBhXDw=="]) {
  accepts(`RFC 6455 4.2.2: the accept value is made from the key, here ${key}`, ask({ "Sec-WebSocket-Key": key }));
}

/* ---- what may differ ---- */

const lines = ask().trimEnd().split("\r\n");
accepts("RFC 6455 4.1: header names may be in lower case", raw(lines[0], ...lines.slice(1).map((l) => l.replace(/^[^:]+/, (n) => n.toLowerCase()))));
accepts("RFC 6455 4.1: header names may be in upper case", raw(lines[0], ...lines.slice(1).map((l) => l.replace(/^[^:]+/, (n) => n.toUpperCase()))));
accepts("RFC 6455 4.1: the headers may come in any order", raw(lines[0], ...lines.slice(1).reverse()));
accepts("RFC 6455 4.1: unknown headers are passed over", ask({ "X-Some": "thing", "User-Agent": "test", "Accept-Language": "de" }));
accepts("RFC 9112 5: a value may have blanks and tabs around it", ask({ Upgrade: " \t websocket \t", "Sec-WebSocket-Version": "\t13  " }));
accepts("RFC 9112 5: a value needs no blank before it", ask().replaceAll(": ", ":").replace("Host:", "Host: "));
accepts("RFC 6455 4.2.1: Upgrade compares without case", ask({ Upgrade: "WebSocket" }));
accepts("RFC 6455 4.2.1: Upgrade may name other protocols, too", ask({ Upgrade: "h2c, websocket" }));
accepts("RFC 6455 4.2.1: Upgrade may be in two lines", ask({ Upgrade: ["h2c", "websocket"] }));
accepts("RFC 6455 4.2.1: Connection compares without case", ask({ Connection: "uPGRADE" }));
accepts("RFC 6455 4.2.1: Connection may hold other tokens before", ask({ Connection: "keep-alive, Upgrade" }));
accepts("RFC 6455 4.2.1: Connection may hold other tokens after", ask({ Connection: "Upgrade,HTTP2-Settings" }));
accepts("RFC 6455 4.2.1: Connection may be in two lines", ask({ Connection: ["keep-alive", "Upgrade"] }));
accepts("RFC 9110 5.6.1: lists may have empty elements", ask({ Connection: ",, Upgrade ,", Upgrade: " , websocket" }));
accepts("RFC 6455 4.2.1: no Origin is needed", ask({ Origin: null }));
accepts("RFC 6455 9.1: an offered extension may be declined", ask({ "Sec-WebSocket-Extensions": "x-webkit-deflate-frame" }));
accepts("RFC 6455 9.1: extensions may be in several lines", ask({ "Sec-WebSocket-Extensions": ["foo", "bar; baz=2"] }));
accepts("RFC 6455 9.1: an empty list of extensions is no offer", ask({ "Sec-WebSocket-Extensions": "" }));
accepts("RFC 6455 3: the resource name may have a query", upgrade("/echo?token=a%20b&x=/y"));
accepts("RFC 6455 4.2.1: the resource name may be within an absolute URI", upgrade("http://127.0.0.1/echo?x"));
accepts("RFC 6455 4.2.1: the resource name may be within an absolute URI of TLS", upgrade("HTTPS://127.0.0.1/echo"));
accepts("RFC 9112 3: a path may be percent-encoded", upgrade("/%65cho"));
accepts("RFC 9110 7.2: Host may have a port", ask({}, { host: "example.com:8080" }));
accepts("RFC 9110 7.2: Host may be an IPv6 address", ask({}, { host: "[::1]:80" }));
accepts("RFC 9112 2.2: one empty line before the request is passed over", `\r\n${ask()}`);
accepts("RFC 9110 8.6: a body of no bytes is no body", ask({ "Content-Length": "0" }));
accepts("RFC 6455 10.5: cookies may come along", ask({ Cookie: "a=b; c=d" }));
accepts("RFC 6455 4.2.1: the head may be long", ask({ "X-Long": "l".repeat(15_000) }));

/* ---- subprotocols, chosen by the script ---- */

function chooses(name, offer, chosen) {
  eachFeed(`RFC 6455 4.2.2: ${name}`, async (feed) => {
    const socket = await Socket.connect(site.port);
    await feed(socket, upgrade("/proto", { "Sec-WebSocket-Protocol": offer }));
    const response = await readResponse(socket);
    assertSwitched(response);
    assert.equal(response.headers["sec-websocket-protocol"], chosen);
    assert.equal(await next(socket), echo(chosen ?? "none"));
    socket.cut();
  });
}
chooses("no subprotocol is answered when none is offered", null, undefined);
chooses("no subprotocol is answered when none is known", "wamp, soap", undefined);
chooses("the script chooses the only one that is offered", "chat", "chat");
chooses("the script chooses among several", "soap, superchat, chat", "superchat");
chooses("subprotocols may be in several lines", ["soap", "chat, superchat"], "chat");
chooses("subprotocols compare with case", "Chat, CHAT", undefined);
chooses("an empty Sec-WebSocket-Protocol counts as absent", "", undefined);
chooses("a blank Sec-WebSocket-Protocol counts as absent", "  \t ", undefined);
chooses("an empty line besides one that offers something changes nothing", ["", "chat"], "chat");
chooses("a subprotocol need not be followed by a blank", "soap,chat", "chat");
refuses("RFC 6455 4.1: a subprotocol with a blank in it is refused", upgrade("/proto", { "Sec-WebSocket-Protocol": "chat room" }), 400);
refuses("RFC 6455 4.1: a subprotocol with a separator in it is refused", upgrade("/proto", { "Sec-WebSocket-Protocol": "chat/2" }), 400);
refuses("RFC 6455 4.1: a subprotocol that is offered twice is refused", upgrade("/proto", { "Sec-WebSocket-Protocol": "chat, soap, chat" }), 400);
refuses("RFC 6455 4.1: one that is offered twice in two lines, too", upgrade("/proto", { "Sec-WebSocket-Protocol": ["chat", "chat"] }), 400);
refuses("RFC 6455 10.4: a hundred subprotocols are too many", upgrade("/proto", { "Sec-WebSocket-Protocol": Array.from({ length: 100 }, (_, i) => `p${i}`).join() }), 400);
test("RFC 6455 4.2.2: a script cannot choose what was not offered", async () => {
  const socket = await Socket.connect(site.port);
  await socket.write(upgrade("/unoffered", { "Sec-WebSocket-Protocol": "chat" }));
  assert.equal((await readResponse(socket)).status, 500);
  await site.server.logged(/'nobody-offered' was not offered/);
  socket.cut();
});

/* ---- refused: method, version, Host ---- */

for (const method of ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "HEAD"]) {
  refuses(`RFC 6455 4.2.1: the method must be GET, not ${method}`, ask({}, { method }), 405, { allow: "GET" });
}
refuses("RFC 6455 4.2.1: a method in lower case is another one", ask({}, { method: "get" }), 501);
refuses("RFC 6455 4.2.1: HTTP/1.0 is refused", ask({}, { version: "HTTP/1.0" }), 400);
refuses("RFC 6455 4.2.1: HTTP/2.0 in a line of HTTP/1 is refused", ask({}, { version: "HTTP/2.0" }), 505);
refuses("RFC 6455 4.2.1: HTTP/0.9 is refused", ask({}, { version: "HTTP/0.9" }), 505);
refuses("RFC 6455 4.2.1: a version that is no version is refused", ask({}, { version: "HTTPS/1.1" }), 400);
refuses("RFC 6455 4.2.1: Host is required", ask({ Host: null }), 400);
refuses("RFC 6455 4.2.1: Host must not be blank", ask({ Host: "" }), 400);
refuses("RFC 9112 3.2: two Hosts are refused", ask({ Host: ["a", "b"] }), 400);
refuses("RFC 9112 3.2: the same Host twice is refused", ask({ Host: ["a", "a"] }), 400);
refuses("RFC 9110 7.2: a Host with a path is refused", ask({ Host: "a/b" }), 400);
refuses("RFC 9110 7.2: a Host with a port that is none is refused", ask({ Host: "a:http" }), 400);

/* ---- refused: Upgrade, Connection ---- */

refuses("RFC 6455 4.2.1: Upgrade is required", ask({ Upgrade: null }), 400);
refuses("RFC 6455 4.2.1: Upgrade must name websocket", ask({ Upgrade: "h2c" }), 400);
refuses("RFC 6455 4.2.1: Upgrade must name websocket as a whole", ask({ Upgrade: "websockets" }), 400);
refuses("RFC 6455 4.2.1: an empty Upgrade is refused", ask({ Upgrade: "" }), 400);
refuses("RFC 6455 4.2.1: Connection is required", ask({ Connection: null }), 400);
refuses("RFC 6455 4.2.1: Connection must hold Upgrade", ask({ Connection: "keep-alive" }), 400);
refuses("RFC 6455 4.2.1: Connection must hold Upgrade as a whole token", ask({ Connection: "Upgrade-Insecure-Requests" }), 400);

/* ---- refused: version of the protocol ---- */

const v13 = { "sec-websocket-version": "13" };
refuses("RFC 6455 4.4: a request without a version is answered with 426 and the version", ask({ "Sec-WebSocket-Version": null }), 426, v13);
for (const version of ["0", "4", "7", "8", "12", "14", "130", "255", "13, 8", "13.0", "013", "+13", "thirteen", ""]) {
  refuses(`RFC 6455 4.4: version '${version}' is answered with 426 and the version`, ask({ "Sec-WebSocket-Version": version }), 426, v13);
}
refuses("RFC 6455 11.3.5: the version must not appear twice", ask({ "Sec-WebSocket-Version": ["13", "13"] }), 400);
refuses("RFC 6455 11.3.5: two different versions are refused", ask({ "Sec-WebSocket-Version": ["13", "8"] }), 400);

/* ---- refused: key ---- */

for (const [name, key] of [
  ["is required", null],
  ["must not be empty", ""],
  ["must not be of 15 bytes", Buffer.alloc(15).toString("base64")],
  ["must not be of 17 bytes", Buffer.alloc(17).toString("base64")],
  ["must not be of 32 bytes", Buffer.alloc(32).toString("base64")],
  ["needs its padding", KEY.slice(0, 22)],
  ["needs all its padding", KEY.slice(0, 23)],
  ["has padding at its end only", "==dGhlIHNhbXBsZSBub25j"],
  ["is not in the alphabet of URLs", "dGhlIHNhbXBsZSBub25j-_=="],
  ["has no blank inside", "dGhlIHNhbXBs ZSBub25jZQ=="],
  ["has no character outside of base64", "dGhlIHNhbXBsZSBub2*jZQ=="],
  ["has no bits beyond its 16 bytes", "dGhlIHNhbXBsZSBub25jZR=="],
]) {
  refuses(`RFC 6455 4.2.1: Sec-WebSocket-Key ${name}`, ask({ "Sec-WebSocket-Key": key }), 400);
}
refuses("RFC 6455 11.3.1: the key must not appear twice", ask({ "Sec-WebSocket-Key": [KEY, KEY] }), 400);
refuses("RFC 6455 11.3.1: two different keys are refused", ask({ "Sec-WebSocket-Key": [KEY, "AAAAAAAAAAAAAAAAAAAAAA=="] }), 400);

/* ---- refused: the head as such ---- */

refuses("RFC 6455 4.1: an upgrade with a body is refused", `${ask({ "Content-Length": "5" })}hello`, 400);
refuses("RFC 6455 4.1: an upgrade with a chunked body is refused", `${ask({ "Transfer-Encoding": "chunked" })}0\r\n\r\n`, 400);
refuses("RFC 6455 3: a fragment in the resource name is refused", upgrade("/echo#there"), 400);
refuses("RFC 9112 3.2: an absolute URI of another host than Host is refused", upgrade("http://other/echo"), 400);
refuses("RFC 9112 5.1: a blank before a colon is refused", ask().replace("Upgrade:", "Upgrade :"), 400);
refuses("RFC 9112 5.2: a folded line is refused", ask({ "X-Folded": "one\r\n two" }), 400);
refuses("RFC 9112 2.2: bare line feeds are refused", ask().replaceAll("\r\n", "\n"), 400);
refuses("RFC 9110 5.5: a zero byte in a value is refused", ask({ "X-Zero": "a\0b" }), 400);
refuses("RFC 9110 5.5: a bare carriage return in a value is refused", ask({ "X-Return": "a\rb" }), 400);
refuses("RFC 9112 2.2: blanks before the first header are refused", ask().replace("\r\nHost", "\r\n Host"), 400);
refuses("RFC 6585 5: a head over 16 KiB is answered with 431", ask({ "X-Long": "l".repeat(17_000) }), 431);
refuses("RFC 6585 5: a thousand headers are answered with 431", ask({ "X-Many": Array(1000).fill("m") }), 431);

/* ---- refused: route and script ---- */

refuses("RFC 6455 4.2.2: a resource name that is not served is answered with 404", upgrade("/nowhere"), 404);
for (const status of [400, 401, 404, 429, 503]) {
  refuses(`RFC 6455 4.2.2: a script may refuse with ${status}`, upgrade(`/refuse/${status}`), status);
}
refuses("RFC 6455 4.2.2: a script that answers nothing refuses with 403", upgrade("/nothing"), 403);
refuses("RFC 6455 4.2.2: an upgrade where only HTTP is served is refused", upgrade("/hello"), 404);

/* ---- plain HTTP where a WebSocket is served ---- */

test("RFC 9110 15.5.22: a plain request to a WebSocket is answered with 426 and Upgrade", async () => {
  const socket = await Socket.connect(site.port);
  await socket.write("GET /echo HTTP/1.1\r\nHost: a\r\n\r\n");
  const response = await readResponse(socket);
  assert.equal(response.status, 426);
  assert.match(response.headers.upgrade, /^websocket$/i);
  assert.match(response.headers.connection, /\bupgrade\b/i);
  socket.cut();
});

/* ---- arrival ---- */

test("RFC 6455 4.2.2: frames that ride with the handshake are answered after the 101", async () => {
  const socket = await Socket.connect(site.port);
  await socket.write(Buffer.concat([Buffer.from(ask()), text("one"), text("two"), text("three")]));
  assertSwitched(await readResponse(socket));
  for (const word of ["one", "two", "three"]) {
    assert.equal(await next(socket), echo(word));
  }
  socket.cut();
});
test("RFC 6455 4.2.2: half a frame that rides with the handshake is kept", async () => {
  const socket = await Socket.connect(site.port);
  const bytes = text("in two parts");
  await socket.write(Buffer.concat([Buffer.from(ask()), bytes.subarray(0, 7)]));
  assertSwitched(await readResponse(socket));
  await socket.write(bytes.subarray(7));
  assert.equal(await next(socket), echo("in two parts"));
  socket.cut();
});
test("RFC 6455 4.1: an upgrade may come on a connection that served plain requests", async () => {
  const socket = await Socket.connect(site.port);
  await socket.write(`GET /hello HTTP/1.1\r\nHost: a\r\n\r\n${ask()}`);
  assert.equal((await readResponse(socket)).status, 200);
  assertSwitched(await readResponse(socket));
  await socket.write(text("now"));
  assert.equal(await next(socket), echo("now"));
  socket.cut();
});
test("RFC 6455 4.1: two connections of one client are two connections", async () => {
  const [one, two] = [await openSocket(site), await openSocket(site)];
  await one.write(text("1"));
  await two.write(text("2"));
  assert.deepEqual([await next(one), await next(two)], [echo("1"), echo("2")]);
  one.cut();
  two.cut();
});

test("RFC 6455 10.4: a handshake that trickles is ended when its time is over", async (t) => {
  const server = await Server.start(site.server.script, { settings: { limits: { handshake: 0.4 } } });
  t.after(() => server?.stop());
  const socket = await Socket.connect(server.port);
  const bytes = Buffer.from(ask({ "X-Long": "l".repeat(4000) }));
  let sent = 0;
  const trickle = setInterval(() => socket.write(bytes.subarray(sent, ++sent)), 20);
  const response = await readResponse(socket).finally(() => clearInterval(trickle));
  assert.equal(response.status, 408);
  assert.equal(response.headers.connection, "close");
  assert.ok(sent < 2000, "every byte does not start the time again");
  socket.cut();
});
