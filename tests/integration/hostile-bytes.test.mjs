/* Bytes that are to do harm: lengths that lie, bombs, garbage, and pages of
 * other sites. SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { test } from "node:test";
import { binary, closeBody, cont, deflate, frame, packed, ping, text, upgrade } from "../conformance/wire.mjs";
import { sanitized } from "./harness.mjs";
import { assertEndings, besiege, MiB } from "./hostile.mjs";
import { readResponse, Socket } from "./socket.mjs";

const TIMES = sanitized ? 10 : 40;
const MAX = 65_536; // max_message

/* Says each of `sayings` TIMES, and every client ends as expected. */
async function expectEnding({ mob }, path, sayings, expected) {
  const list = sayings.map((bytes) => ({ path, bytes: Buffer.from(bytes).toString("latin1") }));
  assertEndings(await mob.say({ sayings: list, times: TIMES }), list.length * TIMES, expected);
}

/* ---- lengths ---- */

/* Only the head is sent: were anything awaited, nobody would be answered. */
const GIANTS = [
  binary("", { length: MAX + 1 }),
  binary("", { length: 2 ** 31 }),
  binary("", { length: 2 ** 40, rsv: 4 }),
  text("", { length: 2n ** 63n - 1n }),
  Buffer.concat([text("x".repeat(MAX), { fin: false }), cont("", { length: 1 })]),
  Buffer.concat([text("x", { fin: false }), cont("", { length: 2n ** 62n, fin: false })]),
];
const IMPOSSIBLE = [text("", { length: 2n ** 63n }), frame(9, "", { length: 2 ** 32 })];

const take = (fields) => `POST /take HTTP/1.1\r\nHost: a\r\n${fields}\r\n\r\n`;
const BODIES = [take("Content-Length: 1048577"), take("Content-Length: 9007199254740993"), `${take("Transfer-Encoding: chunked")}FFFFFFFF\r\n`];

test("giant declared lengths are refused by the head alone", (t) =>
  besiege(t, { memory: 2 * MiB }, async (siege) => {
    const isClosed = () => expectEnding(siege, "/sink", GIANTS, "close 1009");
    await siege.counts("connections_closed_too_big_total", GIANTS.length * TIMES, isClosed);
    await expectEnding(siege, "/sink", IMPOSSIBLE, "close 1002");
    await expectEnding(siege, undefined, BODIES, "413");
  }));

/* ---- bombs ---- */

const inTwo = (data) => Buffer.concat([frame(2, data.subarray(0, 1000), { rsv: 4, fin: false }), cont(data.subarray(1000))]);

/* By the most that expands from what may come, by one byte too many, in
 * fragments, and from more than may come. */
const BOMBS = [
  packed(Buffer.alloc(4 * MiB)),
  packed(Buffer.alloc(MAX + 1)),
  inTwo(deflate(Buffer.alloc(4 * MiB))),
  packed(Buffer.alloc(64 * MiB)),
];

test("compression bombs are not expanded beyond the limit", (t) =>
  besiege(t, { memory: 2 * MiB }, async (siege) => {
    const isClosed = () => expectEnding(siege, "/sink", BOMBS, "close 1009");
    await siege.counts("connections_closed_too_big_total", BOMBS.length * TIMES, isClosed);
    assert.ok((await siege.server.metric("tidewire_inflate_refused_total")) > 0);
  }));

/* ---- garbage ---- */

/* Numbers below `end` from a seed: garbage that is the same again. */
function random(seed) {
  let state = seed >>> 0;
  return (end) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) % end;
  };
}

const noise = (below, size) => Buffer.from(Array.from({ length: size }, () => below(256)));

function mutate(below, bytes) {
  const changed = Buffer.from(bytes);
  for (let i = 1 + below(8); i > 0; i--) {
    changed[below(changed.length)] = below(256);
  }
  return changed;
}

const REQUEST = upgrade("/sink", { "Sec-WebSocket-Extensions": "permessage-deflate" });

/* Bytes in the place of a request. */
const REQUESTS = [
  (below) => noise(below, 1 + below(3000)),
  (below) => Buffer.concat([Buffer.from("GET / HTTP/1.1\r\nHost: a\r\n"), noise(below, below(500))]),
  (below) => mutate(below, REQUEST),
  (below) => mutate(below, `${take("Transfer-Encoding: chunked")}5\r\nhello\r\n0\r\n\r\n`),
];

function anyFrame(below) {
  const options = { fin: below(4) > 0, rsv: below(8) ? below(2) * 4 : below(8), mask: below(30) ? noise(below, 4) : null };
  const opcode = below(8) ? [0, 1, 2, 8, 9, 10][below(6)] : below(16);
  const data = noise(below, below(below(10) ? 126 : 1000));
  return frame(opcode, data, below(20) ? options : { ...options, length: below(2 ** 31) });
}

const SESSION = Buffer.concat([
  text("hello"), ping("tide"), text("wa", { fin: false }), cont("ve"), packed("packed ".repeat(50)), binary(Buffer.alloc(300)), frame(8, closeBody(1000, "bye")),
]);

/* Bytes where frames are awaited. The last of them is none: nobody is left
 * idle between two frames. */
const NO_FRAME = Buffer.alloc(16, 255);
const STREAMS = [
  (below) => Buffer.concat([noise(below, 1 + below(3000)), NO_FRAME]),
  (below) => Buffer.concat([...Array.from({ length: 1 + below(20) }, () => anyFrame(below)), NO_FRAME]),
  (below) => Buffer.concat([mutate(below, SESSION), NO_FRAME]),
];

const seed = process.env.TW_SEED ? Number(process.env.TW_SEED) : Math.floor(Math.random() * 2 ** 32);

for (const [where, path, makers, limits, expected] of [
  ["before the handshake", undefined, REQUESTS, { handshake: 1, http_handler: 1 }, /^(101|204|[34]\d\d|501|505|FIN)$/],
  ["after the handshake", "/echo", STREAMS, { frame: 1, close: 1 }, /^close( \d+)?$/],
]) {
  test(`random garbage ${where} is answered, or ended in time (TW_SEED=${seed})`, (t) => {
    const below = random(seed);
    return besiege(t, { settings: { limits }, memory: 4 * MiB }, async ({ mob }) => {
      const sayings = Array.from({ length: makers.length * 4 * TIMES }, (_, i) => ({ path, bytes: makers[i % makers.length](below).toString("latin1") }));
      assertEndings(await mob.say({ sayings }), sayings.length, expected, `TW_SEED=${seed}`);
    });
  });
}

/* ---- other sites ---- */

const ORIGINS = ["https://evil.example", "http://127.0.0.1.evil.example", "http://127.0.0.1:1", "null", "", "file://", "chrome-extension://abc", "http://127.0.0.1/page", "http://user@127.0.0.1"];

test("pages of other sites are refused with 403 and learn nothing", (t) =>
  besiege(t, { memory: MiB }, async (siege) => {
    const opened = () => siege.server.metric("tidewire_handshakes_total");
    const before = await opened();
    const sayings = ORIGINS.map((origin) => upgrade("/", { Origin: origin }));
    const areRefused = () => expectEnding(siege, undefined, sayings, "403");
    await siege.counts("handshakes_refused_total", ORIGINS.length * TIMES, areRefused);
    assert.equal(await opened(), before);
    for (const saying of sayings) {
      const socket = await Socket.connect(siege.server.port);
      await socket.write(saying);
      const { headers, body } = await readResponse(socket);
      const names = Object.keys(headers).filter((name) => /^(access-control|set-cookie|sec-websocket)/.test(name));
      assert.deepEqual(names, []);
      assert.doesNotMatch(body, /\d+\.\d+\.\d+|127|evil/);
      socket.cut();
    }
  }));
