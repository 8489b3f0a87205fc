/* people.mjs - people in the chat, for the tests of it.
 * SPDX-License-Identifier: MIT */

import { shows, until } from "./harness.mjs";

/* Somebody who has entered a room of the server `on`. Each test has rooms of
 * its own, so that tests do not meet each other's people. Another page `beside`
 * one is another device of the same person. */
export async function enter(browser, on, nick, room, options = {}) {
  const page = await browser.visit(`${on.url}/chat/#${room}`, options);
  if (!options.beside) {
    await page.waitForSelector("#entrance[open]");
    await page.fill("#nick", nick);
    await page.click("#entrance-go");
  }
  await shows(page, (name) => document.querySelector("#room-title").textContent === `#${name}`, room);
  return page;
}

export async function say(page, text) {
  await page.fill("#text", text);
  await page.press("#text", "Enter");
}

/* What people said, in the order in which the page shows it. */
export function said(page) {
  return page.$$eval(".message:not(.pending, .failed) .bubble", (bubbles) => bubbles.map((b) => b.textContent));
}

export function hears(page, text) {
  return until(`hearing ${text}`, async () => (await said(page)).includes(text));
}

export function notices(page) {
  return page.$$eval(".notice", (lines) => lines.map((line) => line.textContent));
}

export function isTold(page, pattern) {
  return until(`a notice like ${pattern}`, async () => (await notices(page)).some((line) => pattern.test(line)));
}

export function countIs(page, text) {
  return shows(page, (wanted) => document.querySelector("#here").textContent === wanted, text);
}

export async function leave(...pages) {
  await Promise.all(pages.map((page) => page.context().close()));
}
