/* Clients that take their time: with the request, with a frame, with an answer
 * to a ping, or with anything at all. Each has a deadline of its own, which is
 * short here. SPDX-License-Identifier: MIT */
import { test } from "node:test";
import { cont, text, upgrade } from "../conformance/wire.mjs";
import { sanitized } from "./harness.mjs";
import { assertEndings, besiege } from "./hostile.mjs";

const MANY = sanitized ? 300 : 1000;
const SOME = sanitized ? 100 : 300;
const KiB = 1024;

test(`${MANY} handshakes at a byte a second are ended in time`, (t) => {
  const limits = { handshake: 2 };
  return besiege(t, { settings: { limits }, memory: MANY * 4 * KiB }, async ({ mob, counts }) => {
    const order = { count: MANY, bytes: upgrade("/"), ms: 1000 };
    const endings = await counts("handshake_timeouts_total", MANY, () => mob.drip(order));
    assertEndings(endings, MANY, "408");
  });
});

test(`${SOME} bodies of requests a byte at a time are ended in time`, (t) => {
  const limits = { http_handler: 1 };
  return besiege(t, { settings: { limits }, memory: SOME * 8 * KiB }, async ({ mob, counts }) => {
    const head = "POST /take HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n";
    const order = { count: SOME, first: head, bytes: "tide".repeat(25), ms: 100 };
    const endings = await counts("http_errors_total", SOME, () => mob.drip(order));
    assertEndings(endings, SOME, "408");
  });
});

test(`${MANY} connections that say nothing are ended in time`, (t) => {
  const limits = { handshake: 1.5 };
  return besiege(t, { settings: { limits }, memory: MANY * 4 * KiB }, async ({ mob, counts }) => {
    const endings = await counts("handshake_timeouts_total", MANY, () => mob.drip({ count: MANY }));
    assertEndings(endings, MANY, "FIN");
  });
});

test(`${SOME} clients that never pong are pinged and ended`, (t) =>
  besiege(t, { memory: SOME * 4 * KiB }, async ({ mob, counts }) => {
    const order = { count: SOME, path: "/brief" };
    const ended = () => counts("connections_closed_idle_total", SOME, () => mob.drip(order));
    assertEndings(await counts("pings_sent_total", SOME, ended), SOME, "close 1008");
  }));

/* Fragments are frames that are whole, and their message is not. */
const TRICKLES = {
  "a frame a byte at a time": text("tide".repeat(30)),
  "the head of a frame a byte at a time": text("", { length: 65536 }).subarray(0, 9),
  "a message in fragments of a byte": Buffer.concat([text("a", { fin: false }), ...Array(30).fill(cont("b", { fin: false }))]),
};

for (const [what, bytes] of Object.entries(TRICKLES)) {
  test(`${SOME} clients that send ${what} are ended in time`, (t) => {
    const limits = { frame: 1 };
    return besiege(t, { settings: { limits }, memory: SOME * 8 * KiB }, async ({ mob, counts }) => {
      const order = { count: SOME, path: "/sink", bytes: bytes.toString("latin1"), ms: 100 };
      const endings = await counts("connections_closed_frame_total", SOME, () => mob.drip(order));
      assertEndings(endings, SOME, "close 1008");
    });
  });
}
