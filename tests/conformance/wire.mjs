/* wire.mjs - WebSocket frames of a client, good and bad ones, and the frames
 * of the server as short texts.
 *
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { constants, deflateRawSync, inflateRawSync } from "node:zlib";

export const CONT = 0, TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10;
const NAMES = { [CONT]: "cont", [TEXT]: "text", [BINARY]: "binary", [CLOSE]: "close", [PING]: "ping", [PONG]: "pong" };

/* The bytes of a frame. `form` is 7, 16 or 64: how the length is written;
 * `length` lies about it; `mask` is a key of four bytes, or null for none. */
export function frame(opcode, data = "", { fin = true, rsv = 0, mask = randomBytes(4), form, length } = {}) {
  const payload = Buffer.from(data);
  const size = length ?? payload.length;
  const bits = form ?? (size < 126 ? 7 : size < 65536 ? 16 : 64);
  const head = Buffer.alloc(2 + { 7: 0, 16: 2, 64: 8 }[bits]);
  head[0] = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
  head[1] = (mask ? 0x80 : 0) | { 7: Number(size), 16: 126, 64: 127 }[bits];
  if (bits === 16) {
    head.writeUInt16BE(size, 2);
  } else if (bits === 64) {
    head.writeBigUInt64BE(BigInt(size), 2);
  }
  if (mask === null) {
    return Buffer.concat([head, payload]);
  }
  const masked = payload.map((byte, i) => byte ^ mask[i % 4]);
  return Buffer.concat([head, Buffer.from(mask), masked]);
}

export const text = (data, options) => frame(TEXT, data, options);
export const binary = (data, options) => frame(BINARY, data, options);
export const cont = (data, options) => frame(CONT, data, options);
export const ping = (data, options) => frame(PING, data, options);
export const pong = (data, options) => frame(PONG, data, options);

export function closeBody(code, reason = "") {
  const body = Buffer.from([code >> 8, code & 255]);
  return Buffer.concat([body, Buffer.from(reason)]);
}

export function close(code, reason, options) {
  return frame(CLOSE, code === undefined ? "" : closeBody(code, reason), options);
}

/* Payloads in hex: "48 69". */
export const hex = (digits) => Buffer.from(digits.replaceAll(" ", ""), "hex");

/* A message in fragments. */
export function fragments(opcode, ...parts) {
  return Buffer.concat(
    parts.map((part, i) => frame(i === 0 ? opcode : CONT, part, { fin: i === parts.length - 1 })),
  );
}

/* The next frame of the server: { fin, rsv, opcode, payload, faults }, null
 * when it ended. `faults` are what a server may not do, RFC 6455 5.1, 5.2. */
export async function readFrame(socket, ms) {
  const head = await socket.read(2, ms);
  if (head === null) {
    return null;
  }
  const faults = [];
  let size = head[1] & 127;
  if (size === 126) {
    size = (await socket.read(2, ms)).readUInt16BE();
    size < 126 && faults.push("long-winded");
  } else if (size === 127) {
    size = Number((await socket.read(8, ms)).readBigUInt64BE());
    size < 65536 && faults.push("long-winded");
  }
  head[1] & 128 && faults.push("masked");
  const payload = size > 0 ? await socket.read(size, ms) : Buffer.alloc(0);
  return { fin: head[0] >= 128, rsv: (head[0] >> 4) & 7, opcode: head[0] & 15, payload, faults };
}

function content(payload, isText) {
  if (payload.length > 125) {
    return `${payload.length}#${createHash("sha1").update(payload).digest("hex").slice(0, 8)}`;
  }
  return isText ? payload.toString() : payload.toString("hex");
}

/* "text hello", "pong 6869", "close 1002", "close": for comparing. A long
 * payload is its size and the start of its digest. */
export function describeFrame(opcode, data, { fin = true, rsv = 0, faults = [] } = {}) {
  const payload = Buffer.from(data);
  const odd = [...faults, ...(fin ? [] : ["unfinished"]), ...(rsv ? [`rsv ${rsv}`] : [])];
  const name = [...odd, NAMES[opcode] ?? `opcode ${opcode}`].join(" ");
  if (opcode === CLOSE && payload.length >= 2) {
    return `${name} ${payload.readUInt16BE()}`;
  }
  return payload.length === 0 ? name : `${name} ${content(payload, opcode === TEXT)}`;
}

/* What an echo of this message looks like. */
export const echo = (data, opcode = TEXT) => describeFrame(opcode, data);
export const answer = (data) => describeFrame(PONG, data);

/* ---- RFC 7692: a message compressed by itself, and expanded ---- */

const TAIL = hex("00 00 ff ff");
const FLUSH = { finishFlush: constants.Z_SYNC_FLUSH };

export function deflate(data, options = {}) {
  const packed = deflateRawSync(Buffer.from(data), { ...FLUSH, ...options });
  assert.deepEqual(packed.subarray(-4), TAIL);
  return packed.subarray(0, -4);
}

export const inflate = (packed) => inflateRawSync(Buffer.concat([packed, TAIL]), FLUSH);

/* A whole frame of a compressed message. */
export const packed = (data, { opcode = TEXT, ...options } = {}) => frame(opcode, deflate(data), { rsv: 4, ...options });

/* What a compressed echo of this message looks like. */
export const packedEcho = (data, opcode = TEXT) => `packed ${describeFrame(opcode, data)}`;

/* The next frame in words, or "FIN" or "RST". */
export async function next(socket, ms) {
  const got = await readFrame(socket, ms);
  if (got === null) {
    return socket.error ? "RST" : "FIN";
  }
  if (got.rsv === 4 && (got.opcode === TEXT || got.opcode === BINARY)) {
    return `packed ${describeFrame(got.opcode, inflate(got.payload), { ...got, rsv: 0 })}`;
  }
  return describeFrame(got.opcode, got.payload, got);
}

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
export const acceptOf = (key) => createHash("sha1").update(key + GUID).digest("base64");

export const KEY = "dGhlIHNhbXBsZSBub25jZQ=="; // that of RFC 6455 1.3

/* The text of an upgrade request. In `headers` null drops one of the usual
 * lines, a list repeats it. */
export function upgrade(path, headers = {}, { method = "GET", version = "HTTP/1.1", host = "127.0.0.1" } = {}) {
  const usual = {
    Host: host,
    Upgrade: "websocket",
    Connection: "Upgrade",
    "Sec-WebSocket-Key": KEY,
    "Sec-WebSocket-Version": "13",
  };
  const lines = Object.entries({ ...usual, ...headers }).flatMap(([name, value]) =>
    value === null ? [] : [value].flat().map((one) => `${name}: ${one}`),
  );
  return `${method} ${path} ${version}\r\n${lines.join("\r\n")}\r\n\r\n`;
}

/* Everything an answer 101 must be, RFC 6455 4.2.2; `extensions` as granted. */
export function assertSwitched(response, key = KEY, extensions = undefined) {
  assert.equal(response.status, 101, response.body);
  assert.equal(response.version, "1.1");
  assert.equal(response.headers.upgrade?.toLowerCase(), "websocket");
  assert.match(response.headers.connection, /^upgrade$/i);
  assert.equal(response.headers["sec-websocket-accept"], acceptOf(key));
  assert.equal(response.headers["sec-websocket-extensions"], extensions);
  assert.equal(response.headers["content-length"], undefined);
  assert.equal(response.headers["transfer-encoding"], undefined);
}
