/* example-notify.test.mjs - the page of the example notify.
 * SPDX-License-Identifier: MIT */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { assertFits, assertNamed, Browser, online, screenshot, Server, until, Wire } from "./harness.mjs";

const LOST = /WebSocket connection to .* failed|ERR_|Failed to load/;

let server, browser;

before(async () => {
  server = await Server.example("notify");
  browser = await Browser.start();
});
after(async () => {
  await browser?.stop();
  await server?.stop();
});

async function login(user, { on = server, ...options } = {}) {
  const page = await browser.visit(on.url, options);
  await page.fill("#user", user);
  await page.press("#user", "Enter");
  await online(page);
  return page;
}

async function post(user, id, more = {}) {
  const answer = await fetch(`${server.url}/notes/${user}`, {
    method: "POST",
    headers: { authorization: "Bearer for-development" },
    body: JSON.stringify({ id, title: `title ${id}`, text: `text of ${id}`, ...more }),
  });
  assert.equal(answer.status, 202);
}

/* [title, whether it is unread] of each note, the newest first. */
const notes = (page) => page.$$eval(".note", (list) => list.map((note) => [note.querySelector("h2").textContent, note.classList.contains("unread")]));

const shows = (page, ...expected) => until(`it shows ${JSON.stringify(expected)}`, async () => JSON.stringify(await notes(page)) === JSON.stringify(expected));

const leave = (...pages) => Promise.all(pages.map((page) => page.context().close()));

describe("the page of notes", { concurrency: 2 }, () => {
  test("shows notes as they come, and what is read on one device is read on the other", async () => {
    const phone = await login("ada", { viewport: { width: 390, height: 780 }, colorScheme: "dark" });
    await post("ada", "1");
    await post("ada", "2");
    await shows(phone, ["title 2", true], ["title 1", true]);
    const laptop = await login("ada");
    await shows(laptop, ["title 2", true], ["title 1", true]);
    assert.equal(await laptop.textContent("#badge"), "2 unread");
    assert.equal(await laptop.title(), "(2) Notes · Tidewire");
    await screenshot(laptop, "example-notify-light");
    await screenshot(phone, "example-notify-dark-narrow");
    await Promise.all([assertNamed(laptop), assertNamed(phone), assertFits(laptop), assertFits(phone)]);

    await phone.click(".note:last-child button");
    await Promise.all([shows(phone, ["title 2", true], ["title 1", false]), shows(laptop, ["title 2", true], ["title 1", false])]);
    await laptop.focus("#read-all");
    await laptop.press("#read-all", "Enter");
    await shows(phone, ["title 2", false], ["title 1", false]);
    assert.equal(await phone.textContent("#badge"), "All read");
    assert.equal(await phone.title(), "Notes · Tidewire");

    const tablet = await login("ada");
    await shows(tablet, ["title 2", false], ["title 1", false]);
    await leave(phone, laptop, tablet);
  });

  test("gets what it missed when it is back, and says again what it marked while it was away", async () => {
    const wire = await Wire.to(server);
    const phone = await login("bob", { on: wire, expected: LOST });
    const laptop = await login("bob");
    await post("bob", "1");
    await Promise.all([shows(phone, ["title 1", true]), shows(laptop, ["title 1", true])]);
    await wire.cut();
    await phone.waitForSelector('#status:not([data-state="online"])');
    await phone.click(".note button");
    await post("bob", "2");
    await shows(laptop, ["title 2", true], ["title 1", true]);
    await wire.mend();
    await shows(phone, ["title 2", true], ["title 1", false]);
    await shows(laptop, ["title 2", true], ["title 1", false]);
    assert.equal(await phone.isHidden("#gap"), true);
    await leave(phone, laptop);
    await wire.remove();
  });

  test("markup stays text", async () => {
    const page = await login("dave");
    const text = '<script>window.hit = 1</script><img src="x" onerror="window.hit = 1">';
    await post("dave", "1", { title: text, text });
    await shows(page, [text, true]);
    assert.equal(await page.evaluate(() => window.hit), undefined);
    assert.equal(await page.$("#list script, #list img"), null);
    await leave(page);
  });

  test("remembers who is here, until the logout", async () => {
    const page = await login("eve", { expected: /status of 400/ });
    assert.match(await page.textContent("#command"), /\/notes\/eve /);
    await screenshot(page, "example-notify-empty");
    await page.reload();
    await online(page);
    assert.equal(await page.textContent("#name"), "eve");
    await page.click("#logout");
    await page.waitForSelector("#user", { state: "visible" });
    await page.fill("#user", "not a name!");
    await page.press("#user", "Enter");
    await until("it says why not", async () => /^A name has/.test(await page.textContent("#problem")));
    await assertNamed(page);
    await screenshot(page, "example-notify-login");
    await leave(page);
  });
});

/* By itself: it is everybody's server. */
test("says that something may be missing when the server lost its history", async () => {
  const page = await login("carol", { expected: LOST });
  await post("carol", "1");
  await shows(page, ["title 1", true]);
  for (const slot of [0, 1]) {
    await server.killWorker(slot);
  }
  await page.waitForSelector("#gap", { state: "visible" });
  await online(page);
  await until("the note is taken", () => post("carol", "1").then(() => true, () => false));
  await until("another one is taken", () => post("carol", "2").then(() => true, () => false));
  await shows(page, ["title 2", true], ["title 1", true]);
  await leave(page);
});
