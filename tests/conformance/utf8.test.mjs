/* UTF-8 in texts, whole, cut and wrong. SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fails, openSocket, says, serve } from "./suite.mjs";
import { BINARY, TEXT, answer, binary, cont, echo, fragments, frame, hex, next, ping, text } from "./wire.mjs";

const site = serve();

/* ---- valid ---- */

for (const [name, bytes] of [
  ["the word kosme in Greek", "ce ba e1 bd b9 cf 83 ce bc ce b5"],
  ["U+0000", "00"],
  ["U+007F, the last of one byte", "7f"],
  ["U+0080, the first of two bytes", "c2 80"],
  ["U+07FF, the last of two bytes", "df bf"],
  ["U+0800, the first of three bytes", "e0 a0 80"],
  ["U+D7FF, before the surrogates", "ed 9f bf"],
  ["U+E000, after the surrogates", "ee 80 80"],
  ["U+FFFD, the replacement character", "ef bf bd"],
  ["U+FFFE, which is no character", "ef bf be"],
  ["U+FFFF, the last of three bytes", "ef bf bf"],
  ["U+FEFF, a byte order mark", "ef bb bf"],
  ["U+10000, the first of four bytes", "f0 90 80 80"],
  ["U+1F30A, a wave", "f0 9f 8c 8a"],
  ["U+10FFFF, the last of all", "f4 8f bf bf"],
]) {
  says(site, `RFC 6455 5.6: ${name} is valid`, text(hex(bytes)), [echo(hex(bytes))]);
}

/* ---- invalid ---- */

const wrong = [
  ["a continuation byte alone", "80"],
  ["the last continuation byte alone", "bf"],
  ["two continuation bytes alone", "80 bf"],
  ["an overlong slash of two bytes", "c0 af"],
  ["an overlong zero of two bytes", "c0 80"],
  ["the longest overlong of two bytes", "c1 bf"],
  ["an overlong slash of three bytes", "e0 80 af"],
  ["the longest overlong of three bytes", "e0 9f bf"],
  ["an overlong slash of four bytes", "f0 80 80 af"],
  ["the longest overlong of four bytes", "f0 8f bf bf"],
  ["U+D800, the first surrogate", "ed a0 80"],
  ["U+DBFF, the last high surrogate", "ed af bf"],
  ["U+DC00, the first low surrogate", "ed b0 80"],
  ["U+DFFF, the last surrogate", "ed bf bf"],
  ["a pair of surrogates", "ed a0 80 ed b0 80"],
  ["U+110000, beyond the last", "f4 90 80 80"],
  ["a first byte F5", "f5 80 80 80"],
  ["a sequence of five bytes", "f8 88 80 80 80"],
  ["a sequence of six bytes", "fc 84 80 80 80 80"],
  ["the byte FE", "fe"],
  ["the byte FF", "ff"],
  ["two bytes cut to one", "c3"],
  ["three bytes cut to two", "e1 bd"],
  ["four bytes cut to three", "f0 9f 8c"],
  ["two bytes interrupted by a letter", "c3 41"],
  ["three bytes interrupted by a letter", "e1 bd 41"],
  ["four bytes interrupted by a letter", "f0 9f 8c 41"],
  ["a good start and a bad end", "68 65 6c 6c 6f ff"],
  ["a bad start and a good end", "ff 68 65 6c 6c 6f"],
];
for (const [name, bytes] of wrong) {
  fails(site, `RFC 6455 8.1: ${name} is failed with 1007`, text(hex(bytes)), 1007);
}
fails(site, "RFC 6455 8.1: one bad byte at the end of a long text is failed with 1007", text(Buffer.concat([Buffer.alloc(60_000, 0x61), hex("ff")])), 1007);
says(site, "RFC 6455 5.6: a binary message may hold what is no UTF-8", binary(hex("ff fe 80 c0")), [echo(hex("ff fe 80 c0"), BINARY)]);

/* ---- over fragments ---- */

const wave = hex("61 f0 9f 8c 8a 62");
for (let cut = 0; cut <= wave.length; cut++) {
  const name = `RFC 6455 5.6: a character may be cut by a fragment's end, here after byte ${cut}`;
  says(site, name, fragments(TEXT, wave.subarray(0, cut), wave.subarray(cut)), [echo(wave)]);
}
says(site, "RFC 6455 5.6: a character may be spread over as many fragments as it has bytes", fragments(TEXT, ...[...wave].map((b) => Buffer.from([b]))), [
  echo(wave),
]);
says(site, "RFC 6455 5.6: a ping may come inside a character", [text(hex("f0 9f"), { fin: false }), ping("in"), cont(hex("8c 8a"))], [
  answer("in"),
  echo(hex("f0 9f 8c 8a")),
]);
fails(site, "RFC 6455 8.1: a character that ends wrongly in the next fragment is failed with 1007", fragments(TEXT, hex("e1 bd"), hex("41")), 1007);
fails(site, "RFC 6455 8.1: a character cut by the end of the message is failed with 1007", fragments(TEXT, hex("61"), hex("f0 9f 8c")), 1007);
fails(site, "RFC 6455 8.1: a character cut by an empty last fragment is failed with 1007", fragments(TEXT, hex("c3"), ""), 1007);
fails(site, "RFC 6455 8.1: a surrogate over two fragments is failed with 1007", fragments(TEXT, hex("ed"), hex("a0 80")), 1007);
fails(site, "RFC 6455 8.1: bad bytes in a fragment that is not the last are failed with 1007", [text(hex("61 ff"), { fin: false })], 1007);

/* ---- early ---- */

for (const [name, bytes] of wrong.filter(([, bytes]) => !/^(c3|e1 bd|f0 9f 8c)$/.test(bytes))) {
  test(`RFC 6455 8.1: ${name} fails before the rest of its frame is there`, async () => {
    const socket = await openSocket(site);
    await socket.write(frame(TEXT, hex(bytes), { length: 1000 }));
    assert.equal(await next(socket), "close 1007");
    assert.ok(await socket.isFinished());
    socket.cut();
  });
}
test("RFC 6455 8.1: a bad second byte fails before the character is complete", async () => {
  const socket = await openSocket(site);
  await socket.write(frame(TEXT, hex("f4 90"), { length: 4 }));
  assert.equal(await next(socket), "close 1007");
  socket.cut();
});
test("RFC 6455 8.1: what may still become valid is waited for", async () => {
  const socket = await openSocket(site);
  const whole = text(hex("f4 8f bf bf"));
  await socket.write(whole.subarray(0, -1));
  await socket.write(whole.subarray(-1));
  assert.equal(await next(socket), echo(hex("f4 8f bf bf")));
  socket.cut();
});
