/* chat.test.mjs - people chatting in real browsers.
 * SPDX-License-Identifier: MIT */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  ScriptsCopy,
  Server,
  assertFits,
  assertNamed,
  noteStates,
  online,
  screenshot,
  shows,
  stage,
  statesSince,
  until,
} from "./harness.mjs";
import * as people from "./people.mjs";

const { countIs, hears, isTold, leave, said, say } = people;

const shared = stage("chat");

function enter(nick, room, { on = shared.server, ...options } = {}) {
  return people.enter(shared.browser, on, nick, room, options);
}

describe("the chat", { concurrency: 2 }, () => {
  test("two people see each other come, type, talk and leave", async () => {
    const ada = await enter("Ada", "meeting");
    await countIs(ada, "only you here");
    const grace = await enter("Grace", "meeting", { colorScheme: "dark", viewport: { width: 390, height: 780 } });
    await isTold(ada, /^Grace came in/);
    await Promise.all([countIs(ada, "2 here"), countIs(grace, "2 here")]);

    await until("Ada sees that Grace is typing", async () => {
      await grace.fill("#text", ""); // the mark goes away by itself: once more
      await grace.type("#text", "Hello");
      return (await ada.textContent("#typing")) === "Grace is typing";
    });
    await screenshot(ada, "chat-typing");
    await grace.press("#text", "Enter");
    await hears(ada, "Hello");
    assert.equal(await ada.textContent("#typing"), "", "a message ends the typing mark");

    await say(ada, "Hello Grace.\nHow are you?");
    await hears(grace, "Hello Grace.\nHow are you?");
    await say(grace, "Well, thank you.");
    await hears(ada, "Well, thank you.");
    assert.deepEqual(await said(ada), await said(grace), "the order is the same for both");
    await screenshot(ada, "chat-light");
    await screenshot(grace, "chat-dark-narrow");
    await Promise.all([assertNamed(ada), assertFits(grace)]);

    await leave(grace);
    await isTold(ada, /^Grace (left|lost the connection)/);
    await countIs(ada, "only you here");
    await leave(ada);
  });

  test("what two people say at once has one order for everybody", async () => {
    const pages = [await enter("Ada", "order"), await enter("Grace", "order"), await enter("Linus", "order")];
    const words = ["one", "two", "three", "four"];
    const speak = async (page, name) => {
      for (const word of words) {
        await say(page, `${name} ${word}`);
      }
    };
    await Promise.all([speak(pages[0], "Ada"), speak(pages[1], "Grace")]);
    await until("all have all", async () => (await Promise.all(pages.map(said))).every((list) => list.length === 8));
    const [first, ...others] = await Promise.all(pages.map(said));
    for (const other of others) {
      assert.deepEqual(other, first);
    }
    await leave(...pages);
  });

  test("markup in names and messages stays text", async () => {
    const eve = await enter("<b>Eve</b>", "markup");
    const bob = await enter("Bob", "markup");
    const text = '<script>window.hit = 1</script><img src="x" onerror="window.hit = 1">';
    await say(eve, text);
    await hears(bob, text);
    assert.equal(await bob.textContent(".message .by b"), "<b>Eve</b>");
    for (const page of [eve, bob]) {
      assert.equal(await page.evaluate(() => window.hit), undefined);
      assert.equal(await page.$("#log script, #log img"), null);
    }
    await screenshot(bob, "chat-markup");
    await leave(eve, bob);
  });

  test("rooms are apart from each other and are listed with their people", async () => {
    const ada = await enter("Ada", "harbour");
    const bob = await enter("Bob", "harbour");
    await ada.click("#new-room");
    await ada.fill("#room-name", "Open {Sea}!");
    await ada.press("#room-name", "Enter");
    await shows(ada, () => document.querySelector("#room-title").textContent === "#open-sea");
    await isTold(bob, /^Ada left/);
    await shows(bob, () => document.querySelector('[data-room="open-sea"] .people')?.textContent === "1");
    await say(ada, "alone out here");
    await hears(ada, "alone out here");
    await say(bob, "alone in here");
    await hears(bob, "alone in here");
    assert.deepEqual(await said(ada), ["alone out here"]);
    assert.deepEqual(await said(bob), ["alone in here"]);

    await bob.click('[data-room="open-sea"]');
    await isTold(ada, /^Bob came in/);
    await countIs(ada, "2 here");
    await leave(ada, bob);
  });

  test("a new nickname is told to the room", async () => {
    const ada = await enter("Ada", "names");
    const bob = await enter("Bob", "names");
    await ada.click("#me");
    await ada.fill("#nick", "Lady Lovelace");
    await ada.click("#entrance-go");
    await isTold(bob, /^Ada is now Lady Lovelace/);
    await leave(ada, bob);
  });

  test("a flood is answered politely, and the speaker stays", async () => {
    const ada = await enter("Ada", "flood");
    await noteStates(ada);
    /* All in a moment: the rate must not have the time to let them through. */
    await ada.evaluate(() => {
      for (let i = 0; i < 12; i++) {
        document.querySelector("#text").value = `flood ${i}`;
        document.querySelector("#composer").requestSubmit();
      }
    });
    await shows(ada, () => document.querySelectorAll(".message.pending").length === 0);
    await screenshot(ada, "chat-flood");
    const refused = await ada.$$eval(".message.failed .fate", (fates) => fates.map((fate) => fate.textContent));
    assert.ok(refused.length > 0 && refused.length < 12, `${refused.length} of 12 refused`);
    assert.match(refused[0], /^Not so fast/);
    assert.equal((await said(ada)).length + refused.length, 12, "nothing went without an answer");

    await until("the server lets Ada speak again", async () => {
      await ada.click(".message.failed button");
      await ada.press("#text", "Enter");
      await shows(ada, () => document.querySelectorAll(".message.pending").length === 0);
      return (await said(ada)).length > 12 - refused.length;
    });
    assert.deepEqual(await statesSince(ada), []);
    await leave(ada);
  });

  test("the server tells why it refuses a message", async () => {
    const page = await shared.browser.visit(`${shared.server.url}/`);
    const answers = await page.evaluate(async () => {
      const socket = new WebSocket(`ws://${location.host}/chat/ws`);
      socket.binaryType = "arraybuffer";
      const codes = [];
      const send = (message) => socket.send(JSON.stringify(message));
      return new Promise((resolve) => {
        socket.onmessage = ({ data }) => {
          const message = JSON.parse(data);
          if (message.type === "welcome") {
            send({ type: "say", text: "before a room" });
            send({ type: "join", nick: "Raw", room: "{}!" });
            send({ type: "join", nick: " \u202e\u200b ", room: "raw" });
            send({ type: "join", nick: "Raw", room: "raw" });
          } else if (message.type === "joined") {
            send({ type: "say", text: "x".repeat(501), ref: 7 });
            send({ type: "say", text: " \n ", ref: "eight" });
            send({ type: "unheard of" });
            socket.send("not JSON");
            socket.send("[1, 2]");
            socket.send(new Uint8Array([1, 2, 3]));
            send({ type: "say", text: "🌊".repeat(500), ref: 9 });
          } else if (message.type === "error") {
            codes.push([message.code, message.ref ?? null]);
          } else if (message.type === "say") {
            socket.close();
            resolve({ codes, said: [...message.text].length });
          }
        };
      });
    });
    assert.deepEqual(answers.codes, [
      ["no_room", null],
      ["bad_room", null],
      ["bad_nick", null],
      ["too_long", 7],
      ["empty", "eight"],
      ["unknown_type", null],
      ["invalid", null],
      ["unknown_type", null],
      ["invalid", null],
    ]);
    assert.equal(answers.said, 500, "the limit counts characters, not bytes");
    await leave(page);
  });

  test("pages come back by themselves when the server restarts", async () => {
    const own = await Server.start("chat-restart");
    const expected = /WebSocket connection to .* failed/;
    const ada = await enter("Ada", "restart", { on: own, expected });
    const bob = await enter("Bob", "restart", { on: own, expected });
    await own.stop();
    // A first quick attempt may be under way; soon it waits visibly.
    await ada.waitForSelector('#status[data-state="waiting"]');
    await ada.fill("#text", "written while away");
    await shows(ada, () => /^Not connected/.test(document.querySelector("#hint").textContent));
    await screenshot(ada, "chat-offline");
    await own.run();
    await Promise.all([online(ada), online(bob)]);
    await isTold(ada, /^You were away for \d+ s/);
    await isTold(bob, /^You were away for \d+ s/);
    await countIs(ada, "2 here");
    await ada.press("#text", "Enter");
    await hears(bob, "written while away");
    await screenshot(bob, "chat-back");
    await leave(ada, bob);
    await own.stop();
  });

  test("an edited script changes what open pages get, a broken one nothing", async () => {
    const scripts = new ScriptsCopy();
    const own = await Server.start("chat-reload", scripts.folder);
    const ada = await enter("Ada", "reload", { on: own });
    const bob = await enter("Bob", "reload", { on: own });
    await Promise.all([noteStates(ada), noteStates(bob)]);
    await say(ada, "quiet");
    await hears(bob, "quiet");

    scripts.edit("chat.lua", "text = body,", "text = body:upper(),");
    own.reload();
    await isTold(ada, /reloaded \(generation 2\)/);
    await isTold(bob, /reloaded \(generation 2\)/);
    await say(ada, "loud");
    await hears(bob, "LOUD");
    await screenshot(bob, "chat-reloaded");

    scripts.edit("chat.lua", "text = body:upper(),", "text = = body,");
    own.reload();
    await own.logged(/chat\.lua:\d+/);
    await say(bob, "still there");
    await hears(ada, "STILL THERE");
    assert.deepEqual(await statesSince(ada), [], "nobody was disconnected");
    assert.deepEqual(await statesSince(bob), []);
    await leave(ada, bob);
    await own.stop();
    scripts.remove();
  });
});
