/* Fragmentation, and control frames between fragments.
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fails, openSocket, says, serve } from "./suite.mjs";
import { BINARY, TEXT, answer, binary, close, cont, echo, fragments, next, ping, pong, text } from "./wire.mjs";

const site = serve();
const more = { fin: false };

/* ---- whole messages ---- */

const halves = ["first half, ", "second half"];
says(site, "RFC 6455 5.4: two fragments are one text", fragments(TEXT, ...halves), [echo(halves.join(""))]);
says(site, "RFC 6455 5.4: two fragments are one binary message", fragments(BINARY, ...halves), [echo(halves.join(""), BINARY)]);
says(site, "RFC 6455 5.4: three fragments are one message", fragments(TEXT, "a", "b", "c"), [echo("abc")]);
says(site, "RFC 6455 5.4: a message of one-byte fragments is whole", fragments(TEXT, ..."one byte at a time, all of it"), [
  echo("one byte at a time, all of it"),
]);
says(site, "RFC 6455 5.4: a thousand fragments are one message", fragments(TEXT, ..."y".repeat(1000)), [echo("y".repeat(1000))]);
says(site, "RFC 6455 5.4: the first fragment may be empty", fragments(TEXT, "", "text"), [echo("text")]);
says(site, "RFC 6455 5.4: a fragment in the middle may be empty", fragments(TEXT, "te", "", "xt"), [echo("text")]);
says(site, "RFC 6455 5.4: the last fragment may be empty", fragments(TEXT, "text", ""), [echo("text")]);
says(site, "RFC 6455 5.4: all fragments may be empty", fragments(TEXT, "", "", ""), [echo("")]);
says(site, "RFC 6455 5.4: fragments of different sizes are joined in order", fragments(BINARY, "a".repeat(125), "b".repeat(126), "c".repeat(65000)), [
  echo("a".repeat(125) + "b".repeat(126) + "c".repeat(65000), BINARY),
]);
says(site, "RFC 6455 5.4: the type of a message is that of its first frame", [binary("\x00", more), cont("b")], [echo("\x00b", BINARY)]);
says(site, "RFC 6455 5.4: an unfragmented message may follow a fragmented one", [fragments(TEXT, "a", "b"), text("c")], [echo("ab"), echo("c")]);
says(site, "RFC 6455 5.4: fragmented messages may follow each other", [fragments(TEXT, "a", "b"), fragments(BINARY, "c", "d")], [
  echo("ab"),
  echo("cd", BINARY),
]);

/* ---- control frames between ---- */

says(site, "RFC 6455 5.4: a ping between fragments is answered", [text("a", more), ping("now"), cont("b")], [
  answer("now"),
  echo("ab"),
]);
says(site, "RFC 6455 5.4: an empty ping between fragments is answered", [text("a", more), ping(), cont("b")], [answer(""), echo("ab")]);
says(site, "RFC 6455 5.4: a pong between fragments changes nothing", [text("a", more), pong("late"), cont("b")], [echo("ab")]);
says(
  site,
  "RFC 6455 5.4: a ping after each fragment leaves the message whole",
  [text("a", more), ping("1"), cont("b", more), ping("1"), cont("c", more), ping("1"), pong(), cont("d")],
  [answer("1"), answer("1"), answer("1"), echo("abcd")],
);
says(site, "RFC 6455 5.5.1: a close between fragments ends the message unheard", [text("a", more), close(1000), cont("b")], ["close 1000", "FIN"]);

/* ---- out of order ---- */

fails(site, "RFC 6455 5.4: a continuation without a message is failed with 1002", cont("x"), 1002);
fails(site, "RFC 6455 5.4: an unfinished continuation without a message is failed with 1002", cont("x", more), 1002);
fails(site, "RFC 6455 5.4: an empty continuation without a message is failed with 1002", cont(), 1002);
fails(site, "RFC 6455 5.4: a text inside a fragmented text is failed with 1002", [text("a", more), text("b")], 1002);
fails(site, "RFC 6455 5.4: a binary frame inside a fragmented text is failed with 1002", [text("a", more), binary("b")], 1002);
fails(site, "RFC 6455 5.4: an unfinished text inside a fragmented one is failed with 1002", [text("a", more), text("b", more)], 1002);
fails(site, "RFC 6455 5.4: a text inside a fragmented binary message is failed with 1002", [binary("a", more), text("b")], 1002);
says(site, "RFC 6455 5.4: a continuation after the last fragment is failed with 1002", [fragments(TEXT, "a", "b"), cont("c")], [
  echo("ab"),
  "close 1002",
  "FIN",
]);
says(site, "RFC 6455 5.4: a continuation after an unfragmented message is failed with 1002", [text("a"), cont("b")], [echo("a"), "close 1002", "FIN"]);
fails(site, "RFC 6455 5.5: a ping inside does not let a second message begin", [text("a", more), ping("x".repeat(126))], 1002);

/* ---- limits ---- */

const parts = (...sizes) => fragments(BINARY, ...sizes.map((size) => "f".repeat(size)));
says(site, "RFC 6455 10.4: fragments of 1000 bytes in all are within a limit of 1000", parts(400, 400, 200), [echo("f".repeat(1000), BINARY)], "/small");
fails(site, "RFC 6455 7.4.1: fragments of 1001 bytes in all are closed with 1009", parts(400, 400, 201), 1009, "/small");
fails(site, "RFC 6455 7.4.1: the fragment that crosses the limit fails, not the last one", [parts(500, 500, 0).subarray(0, -6), cont("f", more)], 1009, "/small");

test("RFC 6455 5.4: fragments that come apart in time are one message", async () => {
  const socket = await openSocket(site);
  for (const [data, options] of [["a", more], ["b", more], ["c", {}]]) {
    await socket.write(data === "a" ? text(data, options) : cont(data, options));
    if (options.fin === false) {
      await socket.write(ping("there?"));
      assert.equal(await next(socket), answer("there?"));
    }
  }
  assert.equal(await next(socket), echo("abc"));
  socket.cut();
});

test("RFC 6455 5.4: a fragmented message of one connection does not touch another's", async () => {
  const [one, two] = [await openSocket(site), await openSocket(site)];
  await one.write(text("one ", more));
  await two.write(text("two ", more));
  await one.write(cont("1"));
  await two.write(cont("2"));
  assert.equal(await next(one), echo("one 1"));
  assert.equal(await next(two), echo("two 2"));
  one.cut();
  two.cut();
});
