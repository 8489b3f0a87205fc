/* permessage-deflate, RFC 7692: what is negotiated, and the frames.
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { constants, deflateRawSync } from "node:zlib";
import { Socket, readResponse } from "../integration/socket.mjs";
import { eachFeed, fails, openSocket, says, serve } from "./suite.mjs";
import { BINARY, CONT, TEXT, answer, assertSwitched, binary, close, cont, deflate, echo, frame, hex, next, packed, packedEcho, ping, pong, text, upgrade } from "./wire.mjs";

const site = serve();
const NAME = "permessage-deflate";
const SHARED = `${NAME}; server_no_context_takeover; client_no_context_takeover`;
const SHARED_15 = `${SHARED}; server_max_window_bits=15`;
const more = { fin: false };

/* ---- negotiation ---- */

/* `offer` is the value of the header, or a list of lines; `granted` what the
 * answer says, undefined for nothing. Messages go through either way. */
function answers(name, offer, granted, path = "/echo") {
  eachFeed(name, async (feed) => {
    const socket = await Socket.connect(site.port);
    await feed(socket, Buffer.from(upgrade(path, { "Sec-WebSocket-Extensions": offer }), "latin1"));
    assertSwitched(await readResponse(socket), undefined, granted);
    await feed(socket, granted ? packed("first") : text("first"));
    assert.equal(await next(socket), echo("first"));
    socket.cut();
  });
}

function refuses(name, offer) {
  eachFeed(name, async (feed) => {
    const socket = await Socket.connect(site.port);
    await feed(socket, Buffer.from(upgrade("/echo", { "Sec-WebSocket-Extensions": offer }), "latin1"));
    const response = await readResponse(socket);
    assert.equal(response.status, 400);
    assert.equal(response.headers.connection, "close");
    assert.equal((await socket.readAll()).toString(), "");
    socket.cut();
  });
}

answers("RFC 7692 7.1: an offer without parameters is accepted", NAME, SHARED);
answers("RFC 7692 7.1: what browsers offer is accepted", `${NAME}; client_max_window_bits`, SHARED);
answers("RFC 7692 7.1.1.1: no takeover by the server may be asked for", `${NAME}; server_no_context_takeover`, SHARED);
answers("RFC 7692 7.1.1.2: no takeover by the client may be told", `${NAME}; client_no_context_takeover`, SHARED);
answers("RFC 7692 7.1.2.2: a smaller window of the client is accepted", `${NAME}; client_max_window_bits=8`, SHARED);
answers("RFC 7692 7.1.2.1: the largest window of the server is accepted and named", `${NAME}; server_max_window_bits=15`, SHARED_15);
answers("RFC 6455 9.1: a value may be quoted", `${NAME}; server_max_window_bits="15"`, SHARED_15);
answers("RFC 6455 9.1: blanks may stand around separators", `  ${NAME} ; client_max_window_bits = 10 `, SHARED);
answers("RFC 7692 7.1.2.1: a smaller window of the server is declined", `${NAME}; server_max_window_bits=14`);
answers("RFC 7692 7.1.2.1: the smallest window of the server is declined", `${NAME}; server_max_window_bits=8`);
answers("RFC 7692 5.1: the next offer is taken when one is declined", `${NAME}; server_max_window_bits=10, ${NAME}`, SHARED);
answers("RFC 7692 5.1: of several good offers the first is taken", `${NAME}; server_max_window_bits=15, ${NAME}`, SHARED_15);
answers("RFC 7692 5.1: offers may be in several lines", [`${NAME}; server_max_window_bits=9`, NAME], SHARED);
answers("RFC 7692 7.1: an unknown parameter declines the offer", `${NAME}; fast`);
answers("RFC 7692 7.1: a repeated parameter declines the offer", `${NAME}; client_max_window_bits; client_max_window_bits`);
answers("RFC 7692 7.1.2.1: a window without a value is declined", `${NAME}; server_max_window_bits`);
answers("RFC 7692 7.1.2.1: a window of 16 is declined", `${NAME}; server_max_window_bits=16`);
answers("RFC 7692 7.1.2.1: a window with a leading zero is declined", `${NAME}; server_max_window_bits=015`);
answers("RFC 7692 7.1.2.2: a client's window of 7 is declined", `${NAME}; client_max_window_bits=7`);
answers("RFC 7692 7.1.2.2: a client's window that is no number is declined", `${NAME}; client_max_window_bits=all`);
answers("RFC 7692 7.1.1.1: a value where none belongs is declined", `${NAME}; server_no_context_takeover=1`);
answers("RFC 7692 7.1.1.2: a quoted value where none belongs is declined", `${NAME}; client_no_context_takeover="true"`);
answers("RFC 7692 7.1: a bad offer spoils no good one behind it", `${NAME}; fast, ${NAME}; server_max_window_bits=7, ${NAME}`, SHARED);
answers("RFC 6455 9.1: an unknown extension is passed over", `x-webkit-deflate-frame, foo; bar=baz, ${NAME}`, SHARED);
answers("RFC 6455 9.1: a name that only begins alike is another", `${NAME}-2`);
answers("RFC 6455 9.1: empty elements of the list are passed over", `, ,${NAME},`, SHARED);
answers("RFC 6455 9.1: a route may have compression off", NAME, undefined, "/plain");
refuses("RFC 6455 9.1: a parameter without a name fails the handshake", `${NAME};`);
refuses("RFC 6455 9.1: a parameter without its value fails the handshake", `${NAME}; client_max_window_bits=`);
refuses("RFC 6455 9.1: a quote without an end fails the handshake", `${NAME}; client_max_window_bits="15`);
refuses("RFC 6455 9.1: a quoted value that is no token fails the handshake", `${NAME}; client_max_window_bits="1 5"`);
refuses("RFC 6455 9.1: two words without a separator fail the handshake", `${NAME} ${NAME}`);
refuses("RFC 6455 9.1: what is no token fails the handshake", `${NAME}, (foo)`);
refuses("RFC 6455 9.1: a malformed line behind a good one fails the handshake", [NAME, "=;"]);

/* ---- messages ---- */

const openPacked = (where, path) => openSocket(where, path, { "Sec-WebSocket-Extensions": NAME }, SHARED);
const hears = (name, input, expected, path) => says(site, name, input, expected, path, openPacked);
const breaks = (name, input, code, path) => fails(site, name, input, code, path, openPacked);

/* A compressed message in frames of these payloads. */
function packedFragments(opcode, ...parts) {
  return parts.map((part, i) => frame(i === 0 ? opcode : CONT, part, { fin: i === parts.length - 1, rsv: i === 0 ? 4 : 0 }));
}

const long = '{"type":"message","text":"the tide comes and the tide goes"},'.repeat(40);
const HELLO = hex("f2 48 cd c9 c9 07 00");

hears("RFC 7692 7.2.3.1: the compressed Hello is a text", frame(TEXT, HELLO, { rsv: 4 }), [echo("Hello")]);
hears("RFC 7692 7.2.3.1: the compressed Hello in two fragments is a text", packedFragments(TEXT, HELLO.subarray(0, 3), HELLO.subarray(3)), [echo("Hello")]);
hears("RFC 7692 7.2.3.3: a block without compression is taken", frame(TEXT, hex("00 05 00 fa ff 48 65 6c 6c 6f 00"), { rsv: 4 }), [echo("Hello")]);
hears("RFC 7692 7.2.3.4: a block marked as the last is taken", frame(TEXT, hex("f3 48 cd c9 c9 07 00 00"), { rsv: 4 }), [echo("Hello")]);
hears("RFC 7692 7.2.3.4: more blocks may follow the last", frame(TEXT, hex("f3 48 cd c9 c9 07 00 f2 48 cd c9 c9 07 00"), { rsv: 4 }), [echo("HelloHello")]);
hears("RFC 7692 7.2.3.5: two blocks are one message", frame(TEXT, hex("f2 48 05 00 00 00 ff ff ca c9 c9 07 00"), { rsv: 4 }), [echo("Hello")]);
hears("RFC 7692 7.2.3.6: an empty message is a single zero", frame(TEXT, hex("00"), { rsv: 4 }), [echo("")]);
hears("RFC 7692 6: a message need not be compressed", [text("plain"), packed("packed"), text("plain again")], [
  echo("plain"),
  echo("packed"),
  echo("plain again"),
]);
hears("RFC 7692 6: a binary message may be compressed", packed("\0\u0001", { opcode: BINARY }), [echo("\0\u0001", BINARY)]);
hears("RFC 7692 6: a long message comes back compressed", packed(long), [packedEcho(long)]);
hears("RFC 7692 6: a long binary message comes back compressed", packed(long, { opcode: BINARY }), [packedEcho(long, BINARY)]);
hears("RFC 7692 6: a long message that came plain is answered compressed", text(long), [packedEcho(long)]);
hears("RFC 7692 7.1.1: no message refers to the one before", [packed(long), packed(long), packed(long)], [
  packedEcho(long),
  packedEcho(long),
  packedEcho(long),
]);
const noise = randomBytes(3000);
hears("RFC 7692 6: what does not get shorter is sent as it is", packed(noise, { opcode: BINARY }), [echo(noise, BINARY)]);
hears("RFC 7692 6.1: a message in fragments of a byte is whole", packedFragments(TEXT, ...[...deflate("one byte at a time")].map((byte) => Buffer.from([byte]))), [
  echo("one byte at a time"),
]);
hears("RFC 7692 6.1: empty fragments are allowed", packedFragments(TEXT, "", HELLO.subarray(0, 4), "", HELLO.subarray(4), ""), [echo("Hello")]);
hears(
  "RFC 7692 6.1: control frames may stand between the fragments",
  [frame(TEXT, HELLO.subarray(0, 2), { rsv: 4, fin: false }), ping("now"), pong("late"), cont(HELLO.subarray(2))],
  [answer("now"), echo("Hello")],
);
hears("RFC 7692 6.1: a plain fragmented message may follow a compressed one", [...packedFragments(TEXT, HELLO.subarray(0, 2), HELLO.subarray(2)), text("a", more), cont("b")], [
  echo("Hello"),
  echo("ab"),
]);
for (const windowBits of [9, 12, 15]) {
  for (const level of [0, 1, 9]) {
    const body = deflate(long, { level, windowBits });
    hears(`RFC 7692 7.2.1: a window of ${windowBits} bits at level ${level} is understood`, frame(TEXT, body, { rsv: 4 }), [packedEcho(long)]);
  }
}
const fixed = deflate(long, { strategy: constants.Z_FIXED });
hears("RFC 7692 7.2.1: fixed codes are understood", frame(TEXT, fixed, { rsv: 4 }), [packedEcho(long)]);
hears("RFC 7692 6: a close behind a compressed message is answered", [packed("bye"), close(1000)], [echo("bye"), "close 1000", "FIN"]);

/* ---- what is wrong ---- */

breaks("RFC 7692 6: RSV1 on a ping is failed with 1002", ping("x", { rsv: 4 }), 1002);
breaks("RFC 7692 6: RSV1 on a pong is failed with 1002", pong("x", { rsv: 4 }), 1002);
breaks("RFC 7692 6: RSV1 on a close is failed with 1002", close(1000, "", { rsv: 4 }), 1002);
breaks("RFC 7692 6.1: RSV1 on a continuation is failed with 1002", [frame(TEXT, HELLO.subarray(0, 3), { rsv: 4, fin: false }), cont(HELLO.subarray(3), { rsv: 4 })], 1002);
breaks("RFC 7692 6.1: RSV1 on the continuation of a plain message is failed with 1002", [text("a", more), cont("b", { rsv: 4 })], 1002);
breaks("RFC 7692 6.1: RSV1 on a ping between fragments is failed with 1002", [text("a", more), ping("b", { rsv: 4 })], 1002);
breaks("RFC 6455 5.2: RSV2 is failed with 1002 as before", frame(TEXT, HELLO, { rsv: 6 }), 1002);
breaks("RFC 6455 5.2: RSV3 is failed with 1002 as before", frame(TEXT, HELLO, { rsv: 1 }), 1002);
breaks("RFC 7692 5.2: RSV1 on an unknown opcode is failed with 1002", frame(3, HELLO, { rsv: 4 }), 1002);
fails(site, "RFC 7692 6: RSV1 is failed with 1002 where nothing was negotiated", frame(TEXT, HELLO, { rsv: 4 }), 1002);
breaks("RFC 7692 7.2.2: a kind of block that there is not is failed with 1007", frame(BINARY, hex("07"), { rsv: 4 }), 1007);
breaks("RFC 7692 7.2.2: text that is not compressed is failed with 1007", frame(TEXT, "Hello, not compressed", { rsv: 4 }), 1007);
breaks("RFC 7692 7.2.2: a message that is cut off is failed with 1007", frame(TEXT, HELLO.subarray(0, 3), { rsv: 4 }), 1007);
breaks("RFC 7692 7.2.2: lengths that differ are failed with 1007", frame(TEXT, hex("00 05 00 05 00 48 65 6c 6c 6f 00"), { rsv: 4 }), 1007);
breaks("RFC 7692 7.2.2: corrupt data in a later fragment is failed with 1007", packedFragments(TEXT, HELLO.subarray(0, 3), "\u0007\u0007\u0007"), 1007);
breaks("RFC 6455 8.1: text that is no UTF-8 when it is expanded is failed with 1007", packed(hex("61 c3 28")), 1007);
breaks("RFC 6455 8.1: text that ends inside a character is failed with 1007", packed(hex("61 e2 82")), 1007);
hears("RFC 6455 8.1: binary data may be anything when it is expanded", packed(hex("61 c3 28"), { opcode: BINARY }), [echo(hex("61 c3 28"), BINARY)]);
hears("RFC 6455 8.1: characters may be cut by fragments", packedFragments(TEXT, deflate("tide €").subarray(0, -2), deflate("tide €").subarray(-2)), [echo("tide €")]);

/* The window of the first is not there for the second. */
const both = deflateRawSync(long + long, { finishFlush: constants.Z_SYNC_FLUSH, chunkSize: 65536 });
breaks("RFC 7692 7.1.1.2: a message that refers to the one before is failed with 1007", frame(TEXT, both.subarray(Math.floor(both.length / 2), -4), { rsv: 4 }), 1007);

/* ---- size ---- */

const small = (size) => "x".repeat(size);
hears("RFC 7692 6: a message of the limit is taken", packed(small(1000)), [echo(small(1000))], "/small");
hears("RFC 7692 6: one of a byte less is taken", packed(small(999)), [echo(small(999))], "/small");
breaks("RFC 7692 6: one of a byte more is failed with 1009", packed(small(1001)), 1009, "/small");
breaks("RFC 7692 8: a bomb is failed with 1009", packed(Buffer.alloc(16 << 20)), 1009);
breaks("RFC 7692 8: a bomb in fragments is failed with 1009", packedFragments(BINARY, ...[deflate(Buffer.alloc(1 << 20))].flatMap((all) => [all.subarray(0, 500), all.subarray(500)])), 1009);
breaks("RFC 7692 8: a frame that is longer than any message is failed with 1009", frame(BINARY, Buffer.alloc(1200), { rsv: 4 }), 1009, "/small");
const incompressible = randomBytes(1000);
hears("RFC 7692 6: a message of the limit may grow when it is compressed", packed(incompressible, { opcode: BINARY }), [echo(incompressible, BINARY)], "/small");
hears("RFC 7692 6: a bomb harms nobody else", binary("still here"), [echo("still here", BINARY)]);
