/* front.test.mjs - the front page, and what all pages have in common.
 * SPDX-License-Identifier: MIT */

import assert from "node:assert/strict";
import { test } from "node:test";
import { assertFits, assertNamed, online, screenshot, shows, stage } from "./harness.mjs";

const shared = stage("front");

test("the front page shows live figures of both demos", async () => {
  const page = await shared.browser.visit(shared.server.url);
  await online(page);
  await shows(page, () => /^\d/.test(document.querySelector("#connections").textContent));
  assert.equal(await page.textContent("#workers"), "2");
  await shows(page, () => document.querySelectorAll("#rooms .name").length > 0);
  await shows(page, () => /%$/.test(document.querySelector("#cpu").textContent));
  await assertNamed(page);
  await screenshot(page, "front-light", true);
  await page.context().close();
});

test("the front page leads to both demos and back", async () => {
  const page = await shared.browser.visit(shared.server.url);
  await page.click(".hero >> text=Open the chat");
  await page.waitForSelector("#entrance[open]");
  await page.goBack();
  await page.click(".hero >> text=Open the dashboard");
  await page.waitForSelector("#workers");
  await page.click(".brand");
  await page.waitForSelector(".hero");
  await page.context().close();
});

test("the front page fits a phone, in the dark", async () => {
  const page = await shared.browser.visit(shared.server.url, { colorScheme: "dark", viewport: { width: 360, height: 740 } });
  await online(page);
  await assertFits(page);
  await shows(page, () => /^\d/.test(document.querySelector("#connections").textContent));
  await screenshot(page, "front-dark-narrow", true);
  await page.context().close();
});

test("a chosen theme stays, against what the system says", async () => {
  const page = await shared.browser.visit(shared.server.url, { colorScheme: "light" });
  const theme = () => page.evaluate(() => document.documentElement.dataset.theme);
  assert.equal(await theme(), "light");
  await page.click(".theme-toggle");
  assert.equal(await theme(), "dark");
  await page.goto(`${shared.server.url}/dashboard/`);
  assert.equal(await theme(), "dark");
  await page.context().close();
});
