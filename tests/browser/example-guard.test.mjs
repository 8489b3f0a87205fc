/* example-guard.test.mjs - the page of the example guard, with a real Redis and
 * the example's own stand-in for the moderation service.
 * SPDX-License-Identifier: MIT */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Redis } from "../integration/redis.mjs";
import { assertFits, assertNamed, Browser, online, screenshot, Server, until } from "./harness.mjs";

let redis, moderation, server, browser;

before(async () => {
  redis = await Redis.start();
  moderation = await Server.example("guard", {}, "moderation");
  server = await Server.example("guard", { GUARD_REDIS: redis.url, GUARD_MODERATION: `${moderation.url}/check` });
  browser = await Browser.start();
});
after(async () => {
  await browser?.stop();
  await server?.stop();
  await moderation?.stop();
  await redis?.stop();
});

async function enter(name, room, options) {
  const page = await browser.visit(`${server.url}/#${room}`, options);
  await page.fill("#name", name);
  await page.press("#name", "Enter");
  await online(page);
  await until("it has come in", async () => (await page.textContent("#title")) === `#${room}, as ${name}`);
  return page;
}

async function say(page, text) {
  await page.fill("#text", text);
  await page.press("#text", "Enter");
}

/* [text, its fate] of each message. */
const log = (page) => page.$$eval(".message", (list) => list.map((item) => [item.querySelector(".text").textContent, item.classList[1] ?? ""]));

const shows = (page, ...expected) => until(`it shows ${JSON.stringify(expected)}`, async () => JSON.stringify(await log(page)) === JSON.stringify(expected));

const leave = (...pages) => Promise.all(pages.map((page) => page.context().close()));

describe("the page of the guarded room", () => {
  test("shows what was checked, how long it took, and what was refused", async () => {
    const ada = await enter("ada", "one");
    const bob = await enter("bob", "one", { viewport: { width: 390, height: 780 }, colorScheme: "dark" });
    await say(ada, "hello");
    await shows(ada, ["hello", ""]);
    await shows(bob, ["hello", ""]);
    await say(ada, "something rude");
    await shows(ada, ["hello", ""], ["something rude", "refused"]);
    assert.equal(await ada.textContent(".message.refused .tag"), "'rude' is not said here.");
    assert.match(await bob.textContent(".message .took"), /^Redis [\d.]+ ms · moderation [\d.]+ ms$/);
    for (const name of ["redis", "moderation", "seen"]) {
      assert.match(await ada.textContent(`[data-value="${name}"]`), /^[\d.]+ ms$/);
    }
    assert.match(await ada.textContent("#policy"), /^Without Redis messages are refused; without the service messages pass, marked\.$/);
    await redis.cli("SADD", "guard:banned", "bob");
    await say(bob, "may I?");
    await shows(bob, ["hello", ""], ["may I?", "refused"]);
    await screenshot(ada, "example-guard-light");
    await screenshot(bob, "example-guard-dark-narrow", true);
    await Promise.all([assertNamed(ada), assertNamed(bob), assertFits(ada), assertFits(bob)]);
    await leave(ada, bob);
  });

  test("keeps the order of one's own while one is slow, and lets others go ahead", async () => {
    const [ada, eve] = [await enter("ada", "two"), await enter("eve", "two")];
    /* In a moment, so that none is checked before it is looked at. */
    const pending = await ada.evaluate((texts) => texts.map((text) => {
      document.querySelector("#text").value = text;
      document.querySelector("#composer").requestSubmit();
      return document.querySelector(".message:last-child").className;
    }), ["a slow one", "after it"]);
    assert.deepEqual(pending, ["message pending", "message pending"]);
    await say(eve, "meanwhile");
    const order = ["meanwhile", "a slow one", "after it"];
    /* Which is first, a second or a machine that is busy, is the example's other
     * test's: here it is that both see the same, and hers in order. */
    await until("all is said", async () => (await log(eve)).length === 3 && (await log(ada)).every(([, fate]) => fate === ""));
    const [here, there] = [await log(ada), await log(eve)];
    assert.deepEqual(here, there);
    const said = here.map(([text]) => text);
    assert.deepEqual([...said].sort(), [...order].sort());
    assert.ok(said.indexOf("a slow one") < said.indexOf("after it"));
    await leave(ada, eve);
  });

  test("marks what nobody moderated, and markup stays text", async () => {
    const ada = await enter("ada", "three");
    await moderation.stop();
    const text = '<img src="x" onerror="window.hit = 1">';
    await say(ada, text);
    await shows(ada, [text, ""]);
    assert.equal(await ada.textContent(".message .tag"), "not checked by moderation");
    assert.equal(await ada.evaluate(() => window.hit), undefined);
    await redis.kill();
    await say(ada, "and now?");
    await shows(ada, [text, ""], ["and now?", "refused"]);
    await screenshot(ada, "example-guard-alone");
    await leave(ada);
  });
});
