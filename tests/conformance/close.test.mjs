/* The closing handshake, both ways, and the end of TCP after it.
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Server, patience, pause, until } from "../integration/harness.mjs";
import { Socket } from "../integration/socket.mjs";
import { fails, openSocket, says, serve } from "./suite.mjs";
import { CLOSE, binary, close, closeBody, echo, frame, hex, next, ping, pong, readFrame, text } from "./wire.mjs";

const site = serve();
/* Has little patience with a client that does not end as it should. */
const brief = serve({ settings: { limits: { close: 0.5 } } });

/* ---- codes from the client ---- */

says(site, "RFC 6455 5.5.1: a close without a body is answered with one without a body", close(), ["close", "FIN"]);
for (const code of [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1011, 1012, 1013, 1014, 3000, 3001, 3999, 4000, 4001, 4999]) {
  says(site, `RFC 6455 7.4: the close code ${code} is echoed`, close(code), [`close ${code}`, "FIN"]);
}
says(site, "RFC 6455 5.5.1: 1010, which only clients close with, is echoed as well", close(1010, "no extension"), ["close 1010", "FIN"]);
for (const code of [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000, 2999, 5000, 5001, 65535]) {
  fails(site, `RFC 6455 7.4: the close code ${code} may not be sent and is failed with 1002`, close(code), 1002);
}

/* ---- bodies ---- */

fails(site, "RFC 6455 5.5.1: a close body of one byte is failed with 1002", frame(CLOSE, hex("03")), 1002);
for (const reason of ["bye", "Grüße 🌊", "r".repeat(122), "r".repeat(123)]) {
  says(site, `RFC 6455 5.5.1: a reason of ${Buffer.byteLength(reason)} bytes is taken`, close(1000, reason), ["close 1000", "FIN"]);
}
fails(site, "RFC 6455 5.5: a reason of 124 bytes is one too many", close(1000, "r".repeat(124)), 1002);
for (const [name, bytes] of [["a lone byte FF", "ff"], ["a cut character", "f0 9f 8c"], ["an overlong", "c0 80"], ["a surrogate", "ed a0 80"]]) {
  fails(site, `RFC 6455 8.1: a reason with ${name} is failed with 1007`, close(1000, hex(bytes)), 1007);
}
says(site, "RFC 6455 5.5.1: a reason may end in a character of four bytes", close(4000, hex("61 f0 9f 8c 8a")), ["close 4000", "FIN"]);

/* ---- after a close ---- */

says(site, "RFC 6455 5.5.1: messages before a close are answered before it", [text("a"), text("b"), close(1000)], [echo("a"), echo("b"), "close 1000", "FIN"]);
says(site, "RFC 6455 5.5.1: a message after a close is not heard", [close(1000), text("late")], ["close 1000", "FIN"]);
says(site, "RFC 6455 5.5.1: a second close is not answered", [close(1000), close(1001)], ["close 1000", "FIN"]);
says(site, "RFC 6455 5.5.1: rubbish after a close is not looked at", [close(1000), hex("ff ff ff ff")], ["close 1000", "FIN"]);
says(site, "RFC 6455 5.5.1: a close inside a message drops what was begun", [text("never", { fin: false }), close(1001)], ["close 1001", "FIN"]);
says(site, "RFC 6455 7.1.7: nothing is heard after the connection failed", [frame(3), close(1000)], ["close 1002", "FIN"]);

test("RFC 6455 5.5.1: the answer to a close has no faults of its own", async () => {
  const socket = await openSocket(site);
  await socket.write(close(1000, "bye"));
  const answer = await readFrame(socket);
  assert.deepEqual([answer.fin, answer.rsv, answer.opcode, answer.faults], [true, 0, CLOSE, []]);
  assert.equal(answer.payload.readUInt16BE(), 1000);
  socket.cut();
});

/* ---- a close by the server ---- */

for (const code of [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]) {
  test(`RFC 6455 7.4: a script may close with ${code}, and its reason arrives`, async () => {
    const socket = await openSocket(site, "/close");
    await socket.write(text(`${code} the reason`));
    assert.deepEqual((await readFrame(socket)).payload, closeBody(code, "the reason"));
    await socket.write(close(code));
    assert.ok(await socket.isFinished());
    socket.cut();
  });
}
for (const code of [0, 999, 1004, 1005, 1006, 1010, 1015, 1016, 2000, 2999, 5000, 65536]) {
  test(`RFC 6455 7.4: a script may not close with ${code}`, async () => {
    const socket = await openSocket(site, "/close");
    await socket.write(text(String(code)));
    assert.match(await next(socket), /^text refused: /);
    socket.cut();
  });
}
test("RFC 6455 5.5: a script's reason is cut to 123 bytes at a character", async () => {
  const socket = await openSocket(site, "/close");
  await socket.write(text(`1000 ${"a".repeat(122)}\u{1f30a}`));
  assert.deepEqual((await readFrame(socket)).payload, closeBody(1000, "a".repeat(122)));
  socket.cut();
});
test("RFC 6455 7.1.2: the server waits for the client's close before it ends TCP", async () => {
  const socket = await openSocket(site, "/close");
  await socket.write(text("1000"));
  assert.equal(await next(socket), "close 1000");
  assert.equal(socket.isEnded, false);
  await socket.write(close(1000));
  assert.ok(await socket.isFinished());
  socket.cut();
});
test("RFC 6455 5.5.1: a client may answer with a code of its own", async () => {
  const socket = await openSocket(site, "/close");
  await socket.write(text("4000"));
  assert.equal(await next(socket), "close 4000");
  await socket.write(close(4001));
  assert.equal(await next(socket), "FIN");
  socket.cut();
});
test("RFC 6455 1.4: when both close at once both are content", async () => {
  const socket = await openSocket(site, "/close");
  await socket.write(Buffer.concat([text("4000"), close(4001)]));
  assert.match(await next(socket), /^close 400[01]$/);
  assert.equal(await next(socket), "FIN");
  socket.cut();
});
test("RFC 6455 5.5.1: messages after the server's close are not answered", async () => {
  const socket = await openSocket(site, "/close");
  await socket.write(text("1000"));
  assert.equal(await next(socket), "close 1000");
  await socket.write(Buffer.concat([text("1001"), ping("x"), pong("y"), close(1000)]));
  assert.equal(await next(socket), "FIN");
  socket.cut();
});
test("RFC 6455 7.1.1: a client that does not answer is left after a time", async () => {
  const socket = await openSocket(brief, "/close");
  const began = performance.now();
  await socket.write(text("1000"));
  assert.equal(await next(socket), "close 1000");
  await socket.readAll();
  assert.ok(performance.now() - began >= 300, "the client had time");
  socket.cut();
});
test("RFC 6455 7.1.1: a client that answers with data for ever is left after a time", async () => {
  const socket = await openSocket(brief, "/close");
  await socket.write(text("1000"));
  assert.equal(await next(socket), "close 1000");
  const chatter = setInterval(() => socket.write(text("but")), 20);
  await socket.readAll().finally(() => clearInterval(chatter));
  socket.cut();
});

/* ---- the end of TCP ---- */

test("RFC 6455 7.1.1: the server ends TCP first", async () => {
  const socket = await openSocket(site);
  await socket.write(close(1000));
  assert.equal(await next(socket), "close 1000");
  assert.ok(await socket.isFinished(), "FIN without our own");
  socket.finish();
  socket.cut();
});
test("RFC 6455 7.1.1: a close frame is not lost to data that is still on its way", async () => {
  const socket = await openSocket(site, "/big");
  await socket.write(Buffer.concat([frame(3), binary(Buffer.alloc(900_000))]));
  assert.equal(await next(socket), "close 1002");
  assert.equal(await next(socket), "FIN");
  socket.cut();
});
test("RFC 6455 7.1.1: nor is the answer to a close", async () => {
  const socket = await openSocket(site, "/big");
  await socket.write(Buffer.concat([close(1000), binary(Buffer.alloc(900_000))]));
  assert.equal(await next(socket), "close 1000");
  assert.equal(await next(socket), "FIN");
  socket.cut();
});
test("RFC 6455 7.1.1: all that was echoed before a close arrives, also to a slow reader", async () => {
  const socket = await openSocket(site, "/big");
  const big = Buffer.alloc(500_000, 0x62);
  await socket.write(Buffer.concat([binary(big), close(1000)]));
  assert.equal((await readFrame(socket)).payload.length, big.length);
  assert.equal(await next(socket), "close 1000");
  assert.equal(await next(socket), "FIN");
  socket.cut();
});
test("RFC 6455 7.1.1: a client that never closes its side is left after a time", async () => {
  const socket = await openSocket(brief);
  await socket.write(close(1000));
  await socket.readAll();
  const end = Date.now() + patience();
  while (!socket.error && Date.now() < end) {
    await socket.write("x"); // answered with a reset once nobody is there
    await pause(20);
  }
  assert.ok(socket.error, "the socket is gone");
  socket.cut();
});
test("RFC 6455 7.1.5: a connection that ends without a close frame ends for the server, too", async () => {
  const are = (count) => until(`${count} connections`, async () => (await site.server.metric("tidewire_connections")) === count);
  await are(0); // those of the tests before this one have ended
  const socket = await openSocket(site);
  await are(1);
  socket.finish();
  assert.ok(await socket.isFinished());
  await are(0);
  socket.cut();
});

/* ---- heartbeats ---- */

test("RFC 6455 5.5.2: a silent client is pinged, and its pong keeps it", async () => {
  /* For longer than the idle time; again where this process was too slow. */
  let pings = 0;
  for (let trial = 0; trial < 6 && pings < 5; trial++) {
    const socket = await openSocket(site, "/heart");
    for (pings = 0; pings < 5 && /^ping/.test(await next(socket)); pings++) {
      await socket.write(pong());
    }
    socket.cut();
  }
  assert.equal(pings, 5);
});
test("RFC 6455 5.5.3: a client that does not answer pings is closed", async () => {
  const socket = await openSocket(site, "/heart");
  assert.match(await next(socket), /^ping/);
  assert.equal(await next(socket), "close 1008");
  assert.equal(await next(socket), "FIN");
  socket.cut();
});
test("RFC 6455 5.5.2: trickled bytes are no sign of life", async () => {
  const socket = await openSocket(site, "/heart");
  const bytes = text("x".repeat(2000));
  let sent = 0;
  const trickle = setInterval(() => socket.write(bytes.subarray(sent, ++sent)), 20);
  try {
    assert.match(await next(socket), /^ping/);
    assert.equal(await next(socket), "close 1008");
  } finally {
    clearInterval(trickle);
    socket.cut();
  }
});
test("RFC 6455 10.4: a frame that is begun has a time to be complete", async (t) => {
  const server = await Server.start(site.server.script, { settings: { limits: { frame: 0.3 } } });
  t.after(() => server?.stop());
  const socket = await openSocket({ port: server.port });
  await socket.write(text("never whole").subarray(0, 9));
  assert.equal(await next(socket), "close 1008");
  socket.cut();
});
test("RFC 6455 7.2.1: a reset by the client harms nobody", async () => {
  const [bad, good] = [await openSocket(site), await openSocket(site)];
  await bad.write(text("x".repeat(1000)));
  bad.reset();
  await good.write(text("still here"));
  assert.equal(await next(good), echo("still here"));
  good.cut();
});
test("RFC 6455 10.4: connections that never say a word do no harm", async () => {
  const silent = await Promise.all(Array.from({ length: 50 }, () => Socket.connect(site.port)));
  const socket = await openSocket(site);
  await socket.write(text("hello"));
  assert.equal(await next(socket), echo("hello"));
  silent.forEach((one) => one.cut());
  socket.cut();
});
