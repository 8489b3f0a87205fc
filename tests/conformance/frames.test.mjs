/* Frames: lengths, masks, reserved bits and opcodes, sizes.
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fails, openSocket, says, serve } from "./suite.mjs";
import { BINARY, CLOSE, CONT, PING, PONG, TEXT, binary, echo, frame, next, ping, readFrame, text } from "./wire.mjs";

const site = serve();

/* ---- lengths ---- */

for (const size of [0, 1, 2, 124, 125, 126, 127, 128, 255, 256, 32767, 65534, 65535, 65536]) {
  const data = "x".repeat(size);
  says(site, `RFC 6455 5.2: a text of ${size} bytes is carried whole`, text(data), [echo(data)]);
}
for (const size of [0, 125, 126, 65535, 65536]) {
  const data = Buffer.alloc(size, 0xff);
  says(site, `RFC 6455 5.2: a binary message of ${size} bytes is carried whole`, binary(data), [echo(data, BINARY)]);
}
for (const size of [65537, 131072, 1048576]) {
  const data = "x".repeat(size);
  says(site, `RFC 6455 5.2: a text of ${size} bytes needs the 64-bit length`, text(data), [echo(data)], "/big");
}

for (const [size, form] of [[0, 16], [1, 16], [125, 16], [0, 64], [125, 64], [126, 64], [65535, 64]]) {
  const name = `RFC 6455 5.2: ${size} bytes announced in ${form} bits are not the minimal length`;
  fails(site, name, text("x".repeat(size), { form }), 1002);
}
const huge = (length) => frame(BINARY, "", { form: 64, length });
fails(site, "RFC 6455 5.2: the most significant bit of a 64-bit length must be 0", huge(1n << 63n), 1002);
fails(site, "RFC 6455 5.2: a length of all ones is refused", huge((1n << 64n) - 1n), 1002);
fails(site, "RFC 6455 5.2: the longest legal length is too big, before a byte of it came", huge((1n << 63n) - 1n), 1009);
fails(site, "RFC 6455 5.2: a length of 2^32 + 1 is not taken for 1", [huge((1n << 32n) + 1n), "x"].map(Buffer.from), 1009);

says(site, "RFC 6455 5.2: two frames in one segment are two messages", [text("one"), text("two")], [echo("one"), echo("two")]);
says(
  site,
  "RFC 6455 5.2: a hundred small frames keep their order",
  Array.from({ length: 100 }, (_, i) => text(`number ${i}`)),
  Array.from({ length: 100 }, (_, i) => echo(`number ${i}`)),
);

/* ---- masks ---- */

for (const [opcode, name, data] of [
  [TEXT, "text", "hello"],
  [TEXT, "empty text", ""],
  [BINARY, "binary", "\x01\x02"],
  [PING, "ping", ""],
  [PONG, "pong", "x"],
  [CLOSE, "close", "\x03\xe8"],
]) {
  fails(site, `RFC 6455 5.1: an unmasked ${name} frame is failed with 1002`, frame(opcode, Buffer.from(data, "latin1"), { mask: null }), 1002);
}
for (const [name, mask] of [["zeros", [0, 0, 0, 0]], ["ones", [255, 255, 255, 255]], ["four different bytes", [1, 2, 3, 4]]]) {
  says(site, `RFC 6455 5.3: a masking key of ${name} is good`, text("masked with care", { mask }), [echo("masked with care")]);
}
for (let size = 1; size <= 9; size++) {
  const data = "123456789".slice(0, size);
  says(site, `RFC 6455 5.3: octet i of ${size} is masked with octet i mod 4 of the key`, text(data, { mask: [0xa5, 0x5a, 0x3c, 0xc3] }), [echo(data)]);
}
says(
  site,
  "RFC 6455 5.3: each fragment has a masking key of its own",
  [text("ab", { fin: false, mask: [1, 2, 3, 4] }), frame(CONT, "cd", { fin: false, mask: [9, 9, 9, 9] }), frame(CONT, "ef", { mask: [0, 0, 0, 0] })],
  [echo("abcdef")],
);

/* ---- reserved bits and opcodes ---- */

for (const rsv of [1, 2, 3, 4, 5, 6, 7]) {
  const bits = rsv.toString(2).padStart(3, "0");
  fails(site, `RFC 6455 5.2: reserved bits ${bits} without an extension are failed with 1002`, text("hello", { rsv }), 1002);
}
for (const [opcode, name] of [[BINARY, "binary"], [PING, "ping"], [PONG, "pong"], [CLOSE, "close"]]) {
  fails(site, `RFC 6455 5.2: RSV1 on a ${name} frame is failed with 1002`, frame(opcode, "", { rsv: 4 }), 1002);
}
fails(site, "RFC 6455 5.2: RSV1 on a continuation is failed with 1002", [text("a", { fin: false }), frame(CONT, "b", { rsv: 4 })], 1002);

for (const opcode of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]) {
  const name = opcode.toString(16).toUpperCase();
  fails(site, `RFC 6455 5.2: the reserved opcode ${name} is failed with 1002`, frame(opcode, ""), 1002);
  fails(site, `RFC 6455 5.2: the reserved opcode ${name} with data is failed with 1002`, frame(opcode, "data"), 1002);
}
says(site, "RFC 6455 7.1.7: what came before a bad frame is answered before the close", [text("good"), frame(3, ""), text("never")], [
  echo("good"),
  "close 1002",
  "FIN",
]);

/* ---- early: the head alone decides ---- */

for (const [name, input, code, path] of [
  ["an unmasked head", Buffer.from([0x81, 0x05]), 1002],
  ["a reserved opcode", Buffer.from([0x83]), 1002],
  ["a reserved bit", Buffer.from([0xc1]), 1002],
  ["a fragmented ping", Buffer.from([0x09]), 1002],
  ["a ping announcing 126", Buffer.from([0x89, 0xfe]), 1002],
  ["a message announced as too big", frame(BINARY, "", { length: 1001 }), 1009, "/small"],
]) {
  test(`RFC 6455 5.2: ${name} fails before the rest of the frame is there`, async () => {
    const socket = await openSocket(site, path);
    await socket.write(input);
    assert.equal(await next(socket), `close ${code}`);
    assert.ok(await socket.isFinished());
    socket.cut();
  });
}

/* ---- sizes of messages ---- */

for (const size of [999, 1000]) {
  const data = "s".repeat(size);
  says(site, `RFC 6455 10.4: of a limit of 1000, ${size} bytes are taken`, text(data), [echo(data)], "/small");
}
fails(site, "RFC 6455 7.4.1: one byte over the limit is closed with 1009", text("s".repeat(1001)), 1009, "/small");
fails(site, "RFC 6455 7.4.1: one byte over the limit is closed with 1009 for binary, too", binary("s".repeat(1001)), 1009, "/small");

test("RFC 6455 5.1: no frame of the server is masked", async () => {
  const socket = await openSocket(site);
  await socket.write(Buffer.concat([text("x"), binary("y"), ping("z")]));
  for (let i = 0; i < 3; i++) {
    assert.deepEqual((await readFrame(socket)).faults, []);
  }
  socket.cut();
});

test("RFC 6455 5.2: a frame cut in its head leaves the connection without an answer", async () => {
  const socket = await openSocket(site);
  await socket.write(text("x".repeat(300)).subarray(0, 3));
  socket.finish();
  assert.equal((await socket.readAll()).length, 0);
  socket.cut();
});
