/* suite.mjs - turns tables of cases into tests.
 *
 * A case is a sentence with the section of the RFC in front, bytes, and what
 * the server shall answer in the words of wire.mjs. Each is played twice on
 * connections of its own, the input whole and byte by byte.
 *
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { after, before, test } from "node:test";
import { Server } from "../integration/harness.mjs";
import { Socket, cutAll, readResponse } from "../integration/socket.mjs";
import { answer, assertSwitched, next, ping, upgrade } from "./wire.mjs";

const APP = fileURLToPath(new URL("./app.lua", import.meta.url));

/* Starts the server of this file's tests; its port is in the result. */
export function serve(options = {}, script = APP) {
  const site = {};
  before(async () => {
    site.server = await Server.start(script, options);
    site.port = site.server.port;
  });
  after(async () => {
    cutAll();
    await site.server?.stop();
  });
  return site;
}

/* A connection that has become a WebSocket. */
export async function openSocket(site, path = "/echo", headers = {}, extensions = undefined) {
  const socket = await Socket.connect(site.port);
  await socket.write(upgrade(path, headers));
  assertSwitched(await readResponse(socket), undefined, extensions);
  return socket;
}

/* Both ways to feed: "whole", "byte by byte". */
export const feeds = [
  ["whole", (socket, bytes) => socket.write(bytes)],
  ["byte by byte", (socket, bytes) => socket.drip(bytes)],
];

export function eachFeed(name, play) {
  for (const [how, feed] of feeds) {
    test(`${name} (${how})`, () => play(feed));
  }
}

const isPong = (words) => words.startsWith("pong");
const isEnd = (words) => words === "FIN" || words === "RST";

/* What the server says until it ends, or until it has said what is expected:
 * then a ping proves that there is nothing more and that it is well. */
async function listen(socket, expected) {
  const heard = [];
  const count = expected.filter((words) => !isPong(words)).length;
  const lastPong = expected.findLast(isPong);
  const isMissing = () =>
    heard.filter((words) => !isPong(words)).length < count || (lastPong !== undefined && !heard.includes(lastPong));
  while (isMissing() && !isEnd(heard.at(-1))) {
    heard.push(await next(socket));
  }
  if (!isEnd(heard.at(-1))) {
    await socket.write(ping("fence"));
    for (let words; (words = await next(socket)) !== answer("fence") && !isEnd(heard.at(-1)); ) {
      heard.push(words);
    }
  }
  return heard;
}

/* Pongs keep the order of their pings, may stand for earlier ones, and may
 * come before or after the data around them: RFC 6455 5.5.3 asks no more. */
function assertHeard(heard, expected) {
  const [data, pongs] = [heard.filter((words) => !isPong(words)), heard.filter(isPong)];
  assert.deepEqual(data, expected.filter((words) => !isPong(words)));
  assert.equal(pongs.at(-1), expected.findLast(isPong));
  const possible = expected.filter(isPong);
  for (const words of pongs) {
    const at = possible.indexOf(words);
    assert.ok(at >= 0, `${words} in ${heard.join(", ")}`);
    possible.splice(0, at + 1);
  }
}

/* `input` is a Buffer or a list of them, `expected` a list of words; `open` is
 * openSocket or like it. */
export function says(site, name, input, expected, path = "/echo", open = openSocket) {
  const bytes = Buffer.concat([input].flat());
  eachFeed(name, async (feed) => {
    const socket = await open(site, path);
    await feed(socket, bytes);
    assertHeard(await listen(socket, expected), expected);
    socket.cut();
  });
}

/* The connection is failed with this code, and ended in order. */
export function fails(site, name, input, code, path, open) {
  says(site, name, input, [`close ${code}`, "FIN"], path, open);
}
