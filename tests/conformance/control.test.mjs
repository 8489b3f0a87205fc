/* Pings and pongs. SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fails, openSocket, says, serve } from "./suite.mjs";
import { CLOSE, PING, PONG, answer, close, closeBody, echo, frame, hex, next, ping, pong, text } from "./wire.mjs";

const site = serve();

for (const data of ["", "x", "Hello", "p".repeat(124), "p".repeat(125)]) {
  says(site, `RFC 6455 5.5.2: a ping of ${data.length} bytes is answered with the same data`, ping(data), [answer(data)]);
}
says(site, "RFC 6455 5.5.3: the data of a ping may be any bytes", ping(hex("00ff80c0fe")), [answer(hex("00ff80c0fe"))]);
says(site, "RFC 6455 5.5.2: a ping between messages is answered", [text("a"), ping("b"), text("c")], [echo("a"), answer("b"), echo("c")]);
says(site, "RFC 6455 5.5.3: a pong that answers nothing is no mistake", pong("unasked"), []);
says(site, "RFC 6455 5.5.3: an empty pong is not answered", pong(), []);
says(site, "RFC 6455 5.5.3: ten pongs are not answered", Array.from({ length: 10 }, () => pong("x")), []);
says(site, "RFC 6455 5.5.3: a pong before a ping changes nothing", [pong("no"), ping("yes")], [answer("yes")]);

for (const [opcode, name] of [[PING, "ping"], [PONG, "pong"], [CLOSE, "close"]]) {
  const long = (size) => (opcode === CLOSE ? closeBody(1000, "r".repeat(size - 2)) : "r".repeat(size));
  fails(site, `RFC 6455 5.5: a ${name} of 126 bytes is failed with 1002`, frame(opcode, long(126)), 1002);
  fails(site, `RFC 6455 5.5: a ${name} of 65536 bytes is failed with 1002`, frame(opcode, long(65536)), 1002);
  fails(site, `RFC 6455 5.5: a ${name} with its length in 16 bits is failed with 1002`, frame(opcode, long(5), { form: 16 }), 1002);
  fails(site, `RFC 6455 5.5: a ${name} with its length in 64 bits is failed with 1002`, frame(opcode, long(5), { form: 64 }), 1002);
  fails(site, `RFC 6455 5.5: an unfinished ${name} is failed with 1002`, frame(opcode, long(5), { fin: false }), 1002);
}

test("RFC 6455 5.5.3: of many pings in a row at least the latest is answered", async () => {
  const socket = await openSocket(site);
  const count = 10_000;
  await socket.write(Buffer.concat(Array.from({ length: count }, (_, i) => ping(String(i)))));
  let previous = -1;
  for (let last; last !== count - 1; previous = last) {
    const words = await next(socket);
    last = Number(hex(/^pong ([0-9a-f]+)$/.exec(words)?.[1] ?? assert.fail(words)).toString());
    assert.ok(last > previous, "pongs keep the order of their pings");
  }
  await socket.write(text("well"));
  assert.equal(await next(socket), echo("well"));
  socket.cut();
});

test("RFC 6455 5.5.2: pings one after another are each answered", async () => {
  const socket = await openSocket(site);
  for (let i = 0; i < 50; i++) {
    await socket.write(ping(`n${i}`));
    assert.equal(await next(socket), answer(`n${i}`));
  }
  socket.cut();
});

test("RFC 6455 5.5.2: a ping after a close is not answered", async () => {
  const socket = await openSocket(site);
  await socket.write(Buffer.concat([close(1000), ping("late")]));
  assert.equal(await next(socket), "close 1000");
  assert.equal(await next(socket), "FIN");
  socket.cut();
});

test("RFC 6455 5.5.2: a flood of pings does not keep others waiting", async () => {
  const [flood, healthy] = [await openSocket(site), await openSocket(site)];
  const wave = Buffer.concat(Array.from({ length: 2000 }, () => ping("x".repeat(125))));
  flood.pause();
  for (let i = 0; i < 20; i++) {
    flood.write(wave);
  }
  for (let i = 0; i < 20; i++) {
    await healthy.write(text(`turn ${i}`));
    assert.equal(await next(healthy), echo(`turn ${i}`));
  }
  flood.cut();
  healthy.cut();
});
