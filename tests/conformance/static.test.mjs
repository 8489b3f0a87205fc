/* Files: types, validators, ranges, and no way out of their folder.
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { linkSync, mkdirSync, symlinkSync, utimesSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { after, before, test } from "node:test";
import { Scripts, Server } from "../integration/harness.mjs";
import { Socket, readResponse } from "../integration/socket.mjs";

const FILES = fileURLToPath(new URL("./files", import.meta.url));
const DATA = "0123456789abcdefghijklmnopqrstuvwxyz\n";
const MODIFIED = "Sun, 09 Sep 2001 01:46:40 GMT";

let server, scripts;
before(async () => {
  scripts = new Scripts({
    "main.lua": 'local tw = require "tidewire"\nreturn tw.routes { ["/*"] = tw.static "www", ["/ws"] = tw.app {} }\n',
    "outside.txt": "outside\n",
    "www2/sibling.txt": "sibling\n",
  });
  scripts.copy(FILES, "www");
  utimesSync(scripts.path("www/data.txt"), 1e9, 1e9);
  symlinkSync("../outside.txt", scripts.path("www/way-out.txt"));
  symlinkSync("/etc/passwd", scripts.path("www/far-out.txt"));
  symlinkSync("..", scripts.path("www/up"));
  symlinkSync("data.txt", scripts.path("www/inside.txt"));
  linkSync(scripts.path("www/data.txt"), scripts.path("www/no-ending"));
  mkdirSync(scripts.path("www/bare"));
  server = await Server.start(scripts.path());
});
after(async () => {
  await server?.stop();
  scripts.remove();
});

async function fetch(path, headers = {}, method = "GET") {
  const socket = await Socket.connect(server.port);
  const lines = Object.entries({ Host: "a", ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  await socket.write(`${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n`);
  const response = await readResponse(socket, method === "HEAD");
  socket.cut();
  return response;
}

/* ---- what is there ---- */

for (const [path, type] of [
  ["/index.html", "text/html; charset=utf-8"],
  ["/style.css", "text/css; charset=utf-8"],
  ["/code.js", "text/javascript; charset=utf-8"],
  ["/data.json", "application/json"],
  ["/drawing.svg", "image/svg+xml"],
  ["/data.txt", "text/plain; charset=utf-8"],
  ["/blob.bin", "application/octet-stream"],
  ["/no-ending", "application/octet-stream"],
]) {
  test(`RFC 9110 8.3: ${path} is ${type}`, async () => {
    const response = await fetch(path);
    assert.equal(response.status, 200);
    assert.equal(response.headers["content-type"], type);
    assert.equal(response.headers["x-content-type-options"], "nosniff");
  });
}
for (const [name, path, body] of [
  ["a file", "/data.txt", DATA],
  ["an empty file", "/empty.txt", ""],
  ["a name with a blank", "/two%20words.txt", "with space\n"],
  ["a file behind a query", "/data.txt?v=3", DATA],
  ["a link inside the folder", "/inside.txt", DATA],
  ["the index of the folder", "/", "<!doctype html>\n<title>index</title>\n"],
  ["the index of a folder below", "/sub/", "<!doctype html>\n<title>sub</title>\n"],
]) {
  test(`RFC 9110 9.3.1: ${name} is served whole`, async () => {
    const response = await fetch(path);
    assert.equal(response.status, 200);
    assert.equal(response.body, body);
  });
}
test("RFC 9110 15.4.2: a folder without its slash is answered with 301", async () => {
  const response = await fetch("/sub?x=1");
  assert.equal(response.status, 301);
  assert.equal(response.headers.location, "/sub/?x=1");
});
test("RFC 9110 9.3.2: HEAD has the length and type, and no body", async () => {
  const socket = await Socket.connect(server.port);
  await socket.write("HEAD /data.txt HTTP/1.1\r\nHost: a\r\n\r\nGET /data.txt HTTP/1.1\r\nHost: a\r\n\r\n");
  const [head, whole] = [await readResponse(socket, true), await readResponse(socket)];
  for (const name of ["content-length", "content-type", "etag", "last-modified"]) {
    assert.equal(head.headers[name], whole.headers[name], name);
  }
  assert.equal(whole.body, DATA);
  socket.cut();
});
for (const method of ["POST", "PUT", "DELETE"]) {
  test(`RFC 9110 15.5.6: ${method} of a file is answered with 405 and Allow`, async () => {
    const response = await fetch("/data.txt", { "Content-Length": "0" }, method);
    assert.equal(response.status, 405);
    assert.match(response.headers.allow, /GET/);
  });
}
test("RFC 9112 9.3: files are served one after another on a connection", async () => {
  const socket = await Socket.connect(server.port);
  await socket.write("GET /data.txt HTTP/1.1\r\nHost: a\r\n\r\n".repeat(20));
  for (let i = 0; i < 20; i++) {
    assert.equal((await readResponse(socket)).body, DATA);
  }
  socket.cut();
});

/* ---- validators ---- */

test("RFC 9110 8.8.2: Last-Modified is the file's time", async () => {
  assert.equal((await fetch("/data.txt")).headers["last-modified"], MODIFIED);
});
test("RFC 9110 8.8.3: the ETag changes with the file", async () => {
  const first = (await fetch("/style.css")).headers.etag;
  assert.match(first, /^"[^"]+"$/);
  assert.equal((await fetch("/style.css")).headers.etag, first);
  scripts.write("www/style.css", "body { color: navy }\n");
  assert.notEqual((await fetch("/style.css")).headers.etag, first);
});
const etag = async () => (await fetch("/data.txt")).headers.etag;
for (const [name, status, headers] of [
  ["If-None-Match with the ETag", 304, async () => ({ "If-None-Match": await etag() })],
  ["If-None-Match with the weak ETag", 304, async () => ({ "If-None-Match": `W/${await etag()}` })],
  ["If-None-Match with the ETag among others", 304, async () => ({ "If-None-Match": `"a", ${await etag()}, "b"` })],
  ["If-None-Match with a star", 304, () => ({ "If-None-Match": "*" })],
  ["If-None-Match with another", 200, () => ({ "If-None-Match": '"other"' })],
  ["If-None-Match with another, though not modified since", 200, () => ({ "If-None-Match": '"other"', "If-Modified-Since": MODIFIED })],
  ["If-Modified-Since with the file's time", 304, () => ({ "If-Modified-Since": MODIFIED })],
  ["If-Modified-Since with a later time", 304, () => ({ "If-Modified-Since": "Sun, 09 Sep 2012 01:46:40 GMT" })],
  ["If-Modified-Since with an earlier time", 200, () => ({ "If-Modified-Since": "Sun, 09 Sep 2001 01:46:39 GMT" })],
  ["If-Modified-Since with rubbish", 200, () => ({ "If-Modified-Since": "yesterday" })],
  ["If-Match with the ETag", 200, async () => ({ "If-Match": await etag() })],
  ["If-Match with another", 412, () => ({ "If-Match": '"other"' })],
  ["If-Unmodified-Since with an earlier time", 412, () => ({ "If-Unmodified-Since": "Sun, 09 Sep 2001 01:46:39 GMT" })],
]) {
  test(`RFC 9110 13.1: ${name} is answered with ${status}`, async () => {
    const response = await fetch("/data.txt", await headers());
    assert.equal(response.status, status);
    assert.equal(response.body === DATA, status === 200);
    if (status === 304) {
      assert.equal(response.headers.etag, await etag());
    }
  });
}

/* ---- ranges ---- */

for (const [range, status, body, contentRange] of [
  ["bytes=0-3", 206, "0123", "bytes 0-3/37"],
  ["bytes=10-12", 206, "abc", "bytes 10-12/37"],
  ["bytes=30-", 206, "uvwxyz\n", "bytes 30-36/37"],
  ["bytes=-3", 206, "yz\n", "bytes 34-36/37"],
  ["bytes=-100", 206, DATA, "bytes 0-36/37"],
  ["bytes=36-1000", 206, "\n", "bytes 36-36/37"],
  ["bytes=37-", 416, undefined, "bytes */37"],
  ["bytes=-0", 416, undefined, "bytes */37"],
  ["bytes=3-1", 200, DATA, undefined],
  ["bytes=a-b", 200, DATA, undefined],
  ["lines=0-3", 200, DATA, undefined],
  ["bytes=0-1,4-5", 200, DATA, undefined],
  ["bytes=18446744073709551616-", 200, DATA, undefined],
]) {
  test(`RFC 9110 14.2: the range ${range} is answered with ${status}`, async () => {
    const response = await fetch("/data.txt", { Range: range });
    assert.equal(response.status, status);
    assert.equal(response.headers["content-range"], contentRange);
    body !== undefined && assert.equal(response.body, body);
  });
}
test("RFC 9110 13.1.5: If-Range with the ETag gives the part, with another the whole", async () => {
  assert.equal((await fetch("/data.txt", { Range: "bytes=0-3", "If-Range": await etag() })).body, "0123");
  assert.equal((await fetch("/data.txt", { Range: "bytes=0-3", "If-Range": '"other"' })).body, DATA);
});
test("RFC 9110 14.2: HEAD passes over a range", async () => {
  const response = await fetch("/data.txt", { Range: "bytes=0-3" }, "HEAD");
  assert.ok([200, 206].includes(response.status));
});

/* ---- what is not there ---- */

for (const path of [
  "/../outside.txt",
  "/..%2foutside.txt",
  "/%2e%2e/outside.txt",
  "/%2e%2e%2foutside.txt",
  "/sub/../../outside.txt",
  "/sub/%2e%2e/%2e%2e/outside.txt",
  "/..%5coutside.txt",
  "/..\\outside.txt",
  "/.%00./outside.txt",
  "/%c0%ae%c0%ae/outside.txt",
  "/....//outside.txt",
  "//etc/passwd",
  "/%2fetc/passwd",
  "/way-out.txt",
  "/far-out.txt",
  "/up/outside.txt",
  "/../www2/sibling.txt",
  "/.hidden",
  "/sub/.hidden",
  "/%2ehidden",
  "/bare/",
  "/data.txt/",
  "/data.txt/more",
  "/nothing.txt",
  "/data.txt%00.html",
  "/data.txt%20",
  `/${"a".repeat(300)}`,
  `/${"a/".repeat(1000)}`,
]) {
  test(`CWE-22: ${path.length > 60 ? `${path.slice(0, 20)}...` : path} leads nowhere`, async () => {
    const response = await fetch(path);
    assert.ok([400, 403, 404].includes(response.status), `answered with ${response.status}`);
    assert.doesNotMatch(response.body, /outside\n|sibling\n|secret\n|root:/);
  });
}
