/* recovery.test.mjs - the line breaks, workers die, people sit on two devices:
 * nothing is missed without being told, and nothing is shown twice.
 * SPDX-License-Identifier: MIT */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Server, Wire, assertFits, noteStates, online, screenshot, shows, stage, statesSince, until } from "./harness.mjs";
import * as people from "./people.mjs";

const { countIs, hears, isTold, leave, notices, said, say } = people;

const shared = stage("recovery");
const BROKEN = /WebSocket connection to .* failed|net::ERR_/;

function enter(nick, room, { on = shared.server, ...options } = {}) {
  return people.enter(shared.browser, on, nick, room, { expected: BROKEN, ...options });
}

/* Says it, again if the server finds that too fast, until the room has it. */
async function speak(page, ...texts) {
  for (const text of texts) {
    await say(page, text);
    await until(`saying ${text}`, async () => {
      if (await page.$(".message.failed")) {
        await page.click(".message.failed button");
        await page.press("#text", "Enter");
      }
      return (await said(page)).includes(text);
    });
  }
}

/* Waits until the page knows that it is cut off. */
function offline(page) {
  return until("offline", async () => (await page.getAttribute("#status", "data-state")) !== "online");
}

/* Waits until the page is in its room again, hurrying it a little. */
async function back(page) {
  await until("online", async () => {
    const state = await page.getAttribute("#status", "data-state");
    if (state === "waiting") {
      await page.click(".status-retry", { timeout: 1000 }).catch(() => {}); // it may have gone by itself
    }
    return state === "online";
  });
}

function isSame(one, other) {
  return until("both show the same", async () => {
    const [first, second] = await Promise.all([said(one), said(other)]);
    return first.length === second.length && first.every((text, i) => text === second[i]);
  });
}

describe("a line that breaks", { concurrency: 2 }, () => {
  test("what is said meanwhile comes afterwards, once and in order", async () => {
    const wire = await Wire.to(shared.server);
    const ada = await enter("Ada", "cut", { on: wire });
    const bob = await enter("Bob", "cut");
    await speak(bob, "one", "two");
    await hears(ada, "two");
    await wire.cut();
    await offline(ada);
    await speak(bob, "three", "four");
    const carol = await enter("Carol", "cut");
    await speak(carol, "five", "six");
    await wire.mend();
    await back(ada);
    await isTold(ada, /^You were away for \d+ s\. This was said meanwhile:$/);
    await hears(ada, "six");
    await speak(carol, "seven");
    await hears(ada, "seven");
    assert.deepEqual(await said(ada), ["one", "two", "three", "four", "five", "six", "seven"]);
    await screenshot(ada, "recovery-back");

    // Once more: the place was kept through the first break.
    await wire.cut();
    await offline(ada);
    await speak(carol, "eight");
    await wire.mend();
    await back(ada);
    await hears(ada, "eight");
    await isSame(ada, bob);
    assert.deepEqual((await notices(ada)).filter((line) => /missed/.test(line)), []);
    await leave(ada, bob, carol);
    await wire.remove();
  });

  test("when nothing was said meanwhile, that is told", async () => {
    const wire = await Wire.to(shared.server);
    const ada = await enter("Ada", "still", { on: wire });
    await speak(ada, "anybody?");
    await wire.cut();
    await offline(ada);
    await wire.mend();
    await back(ada);
    await isTold(ada, /^You were away for \d+ s\. Nothing was said meanwhile\.$/);
    assert.deepEqual(await said(ada), ["anybody?"]);
    await leave(ada);
    await wire.remove();
  });

  for (const [way, what] of [["up", "the server never got"], ["down", "was never answered"]]) {
    test(`a message that ${what} is sent again, and is there once`, async () => {
      const room = `again-${way}`;
      const wire = await Wire.to(shared.server);
      const bob = await enter("Bob", room);
      const ada = await enter("Ada", room, { on: wire });
      await speak(ada, "before");
      await hears(bob, "before");
      wire.lose(way);
      await say(ada, "into the dark");
      await shows(ada, () => document.querySelectorAll(".message.pending").length === 1);
      if (way === "down") {
        await hears(bob, "into the dark");
      }
      await wire.cut();
      await offline(ada);
      await shows(ada, () => /^Waiting/.test(document.querySelector(".message.pending .fate").textContent));
      await wire.mend();
      await back(ada);
      await hears(ada, "into the dark");
      await speak(bob, "I hear you");
      await hears(ada, "I hear you");
      for (const page of [ada, bob]) {
        assert.deepEqual(await said(page), ["before", "into the dark", "I hear you"]);
        assert.equal(await page.$(".message.pending, .message.failed"), null);
      }
      await leave(ada, bob);
      await wire.remove();
    });
  }

  test("more than the room keeps: what is left comes, and the rest is told", async () => {
    const wire = await Wire.to(shared.server);
    const ada = await enter("Ada", "long", { on: wire });
    await speak(ada, "before");
    await wire.cut();
    await offline(ada);
    // A hundred are kept. Each speaker may say six at once.
    const speakers = await enter("Bob", "long");
    await speakers.evaluate(async () => {
      const talk = (name) =>
        new Promise((resolve) => {
          const socket = new WebSocket(`ws://${location.host}/chat/ws`);
          const send = (message) => socket.send(JSON.stringify(message));
          let heard = 0;
          socket.onmessage = ({ data }) => {
            const message = JSON.parse(data);
            if (message.type === "welcome") {
              send({ type: "join", room: "long", nick: name });
            } else if (message.type === "joined") {
              for (let i = 1; i <= 6; i++) {
                send({ type: "say", text: `${name} ${i}`, ref: i });
              }
            } else if (message.type === "say" && message.nick === name && ++heard === 6) {
              socket.close();
              resolve();
            }
          };
        });
      for (let i = 1; i <= 18; i++) {
        await talk(`Speaker ${i}`);
      }
    });
    await wire.mend();
    await back(ada);
    await isTold(ada, /^You were away for \d+ s\. You may have missed something/);
    await hears(ada, "Speaker 18 6");
    const shown = await said(ada);
    assert.equal(shown[0], "before");
    assert.equal(new Set(shown).size, shown.length, "nothing twice");
    const last = shown.slice(1);
    assert.equal(last.length, 100, "all that is kept");
    const all = Array.from({ length: 108 }, (_, i) => `Speaker ${Math.floor(i / 6) + 1} ${(i % 6) + 1}`);
    assert.deepEqual(last, all.slice(-last.length), "the newest, in order");
    await screenshot(ada, "recovery-gap");
    await leave(ada, speakers);
    await wire.remove();
  });
});

describe("who comes late", () => {
  test("sees what was said before, and their own words as their own", async () => {
    const ada = await enter("Ada", "earlier");
    const bob = await enter("Bob", "earlier");
    await speak(ada, "first");
    await speak(bob, "second");
    const carol = await enter("Carol", "earlier");
    await hears(carol, "second");
    await isTold(carol, /^You came in\.$/);
    assert.deepEqual(await said(carol), ["first", "second"]);
    await ada.reload();
    await hears(ada, "second");
    assert.deepEqual(await said(ada), ["first", "second"]);
    assert.equal(await ada.textContent(".message.mine .bubble"), "first");
    await screenshot(carol, "recovery-late");
    await leave(ada, bob, carol);
  });

  test("who comes back into a room gets what was said there meanwhile, once", async () => {
    const ada = await enter("Ada", "left-and-right");
    const bob = await enter("Bob", "left-and-right");
    await speak(bob, "one");
    await hears(ada, "one");
    await ada.evaluate(() => (location.hash = "elsewhere"));
    await shows(ada, () => document.querySelector("#room-title").textContent === "#elsewhere");
    await speak(bob, "two");
    await ada.evaluate(() => (location.hash = "left-and-right"));
    await hears(ada, "two");
    assert.deepEqual(await said(ada), ["one", "two"]);
    await leave(ada, bob);
  });
});

describe("who is here", () => {
  const names = (page) => page.$$eval("#people .name", (list) => list.map((name) => name.textContent));
  const listIs = (page, expected) =>
    until(`the list is ${expected}`, async () => JSON.stringify(await names(page)) === JSON.stringify(expected));

  test("is listed, once for all devices of a person, also under a new name", async () => {
    const ada = await enter("Ada", "crowd");
    const bob = await enter("Bob", "crowd", { viewport: { width: 390, height: 780 } });
    await Promise.all([listIs(ada, ["Ada", "Bob"]), listIs(bob, ["Ada", "Bob"])]);
    const second = await enter("Ada", "crowd", { beside: ada });
    await listIs(second, ["Ada", "Bob"]);
    await countIs(second, "2 here");
    await noteStates(bob);
    await bob.click("#me");
    await bob.fill("#nick", "Robert");
    await bob.click("#entrance-go");
    await isTold(ada, /^Bob is now Robert/);
    await Promise.all([listIs(ada, ["Ada", "Robert"]), listIs(bob, ["Ada", "Robert"])]);
    const carol = await enter("Carol", "crowd");
    await listIs(carol, ["Ada", "Carol", "Robert"]);
    await bob.click("#here");
    await screenshot(bob, "people-narrow");
    await assertFits(bob);
    await screenshot(ada, "people-wide");
    await second.close();
    await leave(bob);
    await isTold(ada, /^Robert left/);
    await listIs(ada, ["Ada", "Carol"]);
    const told = await notices(ada);
    assert.deepEqual(told.filter((line) => /^(Bob|Robert|Ada) (came|left)/.test(line)), ["Bob came in.", "Robert left."]);
    await leave(ada, carol);
  });

  test("a short break is no leaving", async () => {
    const wire = await Wire.to(shared.server);
    const ada = await enter("Ada", "blink");
    const bob = await enter("Bob", "blink", { on: wire });
    await listIs(ada, ["Ada", "Bob"]);
    await wire.cut();
    await wire.mend();
    await back(bob);
    await isTold(bob, /^You were away/);
    await speak(bob, "still me");
    await hears(ada, "still me");
    await listIs(ada, ["Ada", "Bob"]);
    await leave(ada, bob);
    await wire.remove();
  });
});

describe("a private word", () => {
  const chips = (page) => page.$$eval(".message.private", (list) => list.map((node) => node.querySelector(".aside").textContent));

  async function whisper(page, to, text) {
    await page.click(`#people button:has-text("${to}")`);
    await say(page, text);
  }

  test("reaches all devices of both, and nobody else", async () => {
    const ada = await enter("Ada", "private");
    const desk = await enter("Grace", "private");
    const phone = await enter("Grace", "private", { beside: desk });
    const eve = await enter("Eve", "private");
    await countIs(ada, "3 here");
    await whisper(ada, "Grace", "between us");
    await Promise.all([ada, desk, phone].map((page) => hears(page, "between us")));
    assert.deepEqual(await chips(ada), ["only to Grace"]);
    assert.deepEqual(await chips(desk), ["only to you"]);
    assert.deepEqual(await chips(phone), ["only to you"]);
    assert.equal(await ada.$(".message.pending"), null, "it is confirmed");

    await whisper(phone, "Ada", "I see");
    await Promise.all([ada, desk, phone].map((page) => hears(page, "I see")));
    assert.deepEqual(await chips(desk), ["only to you", "only to Ada"]);
    await screenshot(desk, "private");

    await ada.click("#to-all");
    await speak(ada, "good morning");
    await hears(eve, "good morning");
    assert.deepEqual(await said(eve), ["good morning"]);
    await leave(ada, desk, eve);
  });

  test("waits for a device that is away, and comes once", async () => {
    const wire = await Wire.to(shared.server);
    const ada = await enter("Ada", "later");
    const desk = await enter("Grace", "later");
    const phone = await enter("Grace", "later", { on: wire });
    // Another address is another storage: she has to be told who she is.
    const key = await desk.evaluate(() => localStorage.getItem("tidewire-key"));
    await phone.evaluate((secret) => localStorage.setItem("tidewire-key", secret), key);
    await phone.reload();
    await online(phone);
    await whisper(ada, "Grace", "one");
    await Promise.all([desk, phone].map((page) => hears(page, "one")));
    await wire.cut();
    await offline(phone);
    await say(ada, "two");
    await Promise.all([ada, desk].map((page) => hears(page, "two")));
    await wire.mend();
    await back(phone);
    await hears(phone, "two");
    for (const page of [ada, desk, phone]) {
      assert.deepEqual(await said(page), ["one", "two"]);
    }
    await leave(ada, desk, phone);
    await wire.remove();
  });
});

test("when workers die, what is lost with them is told, and nothing is shown twice", async () => {
  const own = await Server.start("recovery-death");
  const ada = await enter("Ada", "death", { on: own });
  const bob = await enter("Bob", "death", { on: own });
  await countIs(ada, "2 here");
  await speak(ada, "before");
  await hears(bob, "before");
  // One of the two is the home of the room: it is not known which. Whoever is
  // connected to the other stays so.
  for (const slot of [0, 1]) {
    await own.killWorker(slot);
    await Promise.all([back(ada), back(bob)]);
    await speak(ada, `after ${slot}`);
    await hears(bob, `after ${slot}`);
  }
  await Promise.all([isTold(ada, /You may have missed something/), isTold(bob, /You may have missed something/)]);
  await screenshot(bob, "recovery-death");
  await speak(ada, "the end");
  await hears(bob, "the end");
  for (const page of [ada, bob]) {
    assert.deepEqual(await said(page), ["before", "after 0", "after 1", "the end"]);
  }
  await countIs(ada, "2 here");
  await leave(ada, bob);
  await own.stop();
});

test("a page that sits elsewhere when its room's home dies stays connected, and is told", async () => {
  const own = await Server.start("recovery-home");
  const ada = await enter("Ada", "home-0", { on: own });
  // Which worker is a room's home, and on which the page sits, is not known: of
  // a few rooms one has its home where the page is not.
  let isSeen = false;
  for (let trial = 1; trial <= 12 && !isSeen; trial++) {
    const room = `home-${trial}`;
    await until(`entering ${room}`, async () => {
      await ada.evaluate((name) => (location.hash = name), room);
      return (await ada.textContent("#room-title")) === `#${room}`;
    });
    await speak(ada, "before");
    await noteStates(ada);
    await own.killWorker(trial % 2);
    await back(ada);
    await speak(ada, "after");
    const isTold = (await notices(ada)).some((line) => /^You may have missed something/.test(line));
    isSeen = isTold && (await statesSince(ada)).length === 0;
    assert.deepEqual(await said(ada), ["before", "after"]);
  }
  assert.ok(isSeen, "in none of twelve rooms");
  await screenshot(ada, "recovery-home");
  await leave(ada);
  await own.stop();
});
