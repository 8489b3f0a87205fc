/* example-whiteboard.test.mjs - people who draw together in real browsers.
 * SPDX-License-Identifier: MIT */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { assertFits, assertNamed, Browser, noteStates, online, screenshot, Server, shows, statesSince, until, Wire } from "./harness.mjs";

/* One of the page's modules, for tests without a browser: it imports nothing. */
const text = readFileSync(new URL("../../examples/whiteboard/www/strokes.js", import.meta.url), "utf8");
const { Strokes } = await import(`data:text/javascript,${encodeURIComponent(text)}`);

const LOST = /WebSocket connection to .* failed|ERR_CONNECTION/;

let server, browser;

before(async () => {
  server = await Server.example("whiteboard");
  browser = await Browser.start();
});
after(async () => {
  await browser?.stop();
  await server?.stop();
});

/* Somebody at a board, in a browser of their own. */
async function enter(board, { on = server, ...options } = {}) {
  const page = await browser.visit(`${on.url}/b/${board}`, options);
  await online(page);
  await shows(page, () => document.querySelectorAll("#people li").length > 0);
  return page;
}

/* Draws with the mouse, through points in hundredths of the board. */
async function draw(page, ...points) {
  const { x, y, width, height } = await (await page.$("#ink")).boundingBox();
  const at = ([left, top]) => [x + (left / 100) * width, y + (top / 100) * height];
  await page.mouse.move(...at(points[0]));
  await page.mouse.down();
  for (const point of points.slice(1)) {
    await page.mouse.move(...at(point), { steps: 6 });
  }
  await page.mouse.up();
}

/* How many pixels a canvas has that are not empty, in a part of the board given
 * in hundredths. */
function inked(page, canvas, [left, top, right, bottom] = [0, 0, 100, 100]) {
  return page.$eval(canvas, (element, [x0, y0, x1, y1]) => {
    const { width, height } = element;
    const [x, y] = [Math.floor((x0 / 100) * width), Math.floor((y0 / 100) * height)];
    const { data } = element.getContext("2d").getImageData(x, y, Math.floor(((x1 - x0) / 100) * width), Math.floor(((y1 - y0) / 100) * height));
    let count = 0;
    for (let i = 3; i < data.length; i += 4) {
      count += data[i] > 0 ? 1 : 0;
    }
    return count;
  }, [left, top, right, bottom]);
}

const counts = (page, text) => until(`it counts ${text}`, async () => (await page.textContent("#count")) === text);
const isDrawn = (page, part) => until(`ink in ${part}`, async () => (await inked(page, "#ink", part)) > 50);
const isEmpty = (page, part) => until(`no ink in ${part}`, async () => (await inked(page, "#ink", part)) === 0);
const leave = (...pages) => Promise.all(pages.map((page) => page.context().close()));

const LEFT = [0, 0, 45, 100], RIGHT = [55, 0, 100, 100];

describe("the whiteboard", { concurrency: 2 }, () => {
  test("people see what others draw, while they draw it, and where they are", async () => {
    const ada = await enter("meeting");
    const bob = await enter("meeting", { viewport: { width: 390, height: 780 }, colorScheme: "dark" });
    await Promise.all([ada, bob].map((page) => shows(page, () => document.querySelectorAll("#people li").length === 2)));
    const { x, y, width, height } = await (await ada.$("#ink")).boundingBox();
    await ada.mouse.move(x + 0.1 * width, y + 0.1 * height);
    await ada.mouse.down();
    let step = 0;
    await until("bob sees the stroke under way", async () => {
      step = (step + 1) % 20;
      await ada.mouse.move(x + (0.1 + 0.015 * step) * width, y + (0.2 + 0.03 * step) * height);
      return (await inked(bob, "#over", LEFT)) > 50;
    });
    assert.equal(await inked(bob, "#ink"), 0, "it is not kept yet");
    await ada.mouse.up();
    await Promise.all([counts(ada, "1 stroke"), counts(bob, "1 stroke")]);
    await Promise.all([isDrawn(ada, LEFT), isDrawn(bob, LEFT)]);
    await draw(bob, [60, 20], [90, 50], [60, 80]);
    await Promise.all([counts(ada, "2 strokes"), isDrawn(ada, RIGHT)]);
    const sheet = await (await bob.$("#ink")).boundingBox();
    await until("ada sees bob's cursor", async () => {
      step += 1;
      await bob.mouse.move(sheet.x + (0.7 + 0.001 * (step % 2)) * sheet.width, sheet.y + 0.5 * sheet.height);
      return (await inked(ada, "#over", RIGHT)) > 50;
    });
    await screenshot(ada, "example-whiteboard-light");
    await screenshot(bob, "example-whiteboard-dark-narrow");
    await Promise.all([assertNamed(ada), assertNamed(bob), assertFits(ada), assertFits(bob)]);

    const other = await enter("another");
    await counts(other, "Nothing is drawn yet");
    await leave(bob);
    await shows(ada, () => document.querySelectorAll("#people li").length === 1);
    await leave(ada, other);
  });

  test("undo takes one's own last stroke, clear takes all, and both are asked for by keys, too", async () => {
    const [ada, bob] = [await enter("undo"), await enter("undo")];
    await draw(ada, [10, 10], [30, 30]);
    await counts(bob, "1 stroke");
    await draw(bob, [60, 10], [90, 30]);
    await counts(ada, "2 strokes");
    await ada.click("#undo");
    await Promise.all([counts(ada, "1 stroke"), counts(bob, "1 stroke")]);
    await Promise.all([isEmpty(ada, LEFT), isEmpty(bob, LEFT), isDrawn(ada, RIGHT)]);
    assert.equal(await ada.isDisabled("#undo"), true, "what is left is bob's");
    await draw(ada, [10, 50], [30, 80]);
    await counts(bob, "2 strokes");
    await ada.keyboard.press("Control+z");
    await counts(bob, "1 stroke");
    await ada.click("#clear");
    await ada.press("#sure button[value=no]", "Enter");
    await counts(ada, "1 stroke");
    await ada.click("#clear");
    await ada.click("#sure-yes");
    await Promise.all([counts(ada, "Nothing is drawn yet"), counts(bob, "Nothing is drawn yet"), isEmpty(bob)]);
    await leave(ada, bob);
  });

  test("the keyboard draws, the theme changes, and the size does not matter", async () => {
    const page = await enter("keys");
    await page.focus("#ink");
    await page.keyboard.press("Space");
    for (let i = 0; i < 8; i++) {
      await page.keyboard.press(i % 2 ? "Shift+ArrowRight" : "Shift+ArrowDown");
    }
    assert.equal(await page.textContent("#spoken"), "The pen is down");
    await page.keyboard.press("Space");
    assert.equal(await page.textContent("#spoken"), "The pen is up");
    await counts(page, "1 stroke");
    await isDrawn(page, RIGHT);
    await page.click(".theme-toggle");
    await isDrawn(page, RIGHT);
    await page.setViewportSize({ width: 600, height: 500 });
    await until("it is smaller", async () => (await (await page.$("#ink")).boundingBox()).width < 600);
    await isDrawn(page, RIGHT);
    await assertFits(page);
    await isEmpty(page, LEFT);
    await leave(page);
  });

  test("a finger draws, and does not scroll", async () => {
    const page = await enter("touch", { hasTouch: true, isMobile: true, viewport: { width: 390, height: 780 } });
    const { x, y, width, height } = await (await page.$("#ink")).boundingBox();
    const session = await page.context().newCDPSession(page);
    const touch = (type, ...points) => session.send("Input.dispatchTouchEvent", { type, touchPoints: points.map(([left, top], id) => ({ x: x + left * width, y: y + top * height, id })) });
    await touch("touchStart", [0.2, 0.2]);
    await touch("touchMove", [0.2, 0.4]);
    await touch("touchMove", [0.2, 0.4], [0.8, 0.8]); // another finger does nothing
    await touch("touchMove", [0.3, 0.9], [0.9, 0.9]);
    await touch("touchEnd");
    await counts(page, "1 stroke");
    await isDrawn(page, LEFT);
    await isEmpty(page, RIGHT);
    await leave(page);
  });

  test("what is drawn on a broken line arrives when it is back, once", async () => {
    const wire = await Wire.to(server);
    const ada = await enter("wire", { on: wire, expected: LOST });
    const bob = await enter("wire");
    await draw(ada, [10, 10], [30, 30]);
    await counts(bob, "1 stroke");
    await wire.cut();
    await ada.waitForSelector('#status:not([data-state="online"])');
    await draw(ada, [10, 60], [30, 90]);
    await counts(ada, "1 stroke, 1 on the way");
    await draw(ada, [30, 60], [10, 90]);
    await ada.click("#undo"); // of what nobody has seen yet
    await draw(bob, [60, 10], [90, 30]);
    await wire.mend();
    await Promise.all([counts(ada, "3 strokes"), counts(bob, "3 strokes")]);
    await isDrawn(ada, RIGHT);
    await leave(ada, bob);
    await wire.remove();
  });
});

describe("strokes stay", () => {
  test("over a reload of the script, of the page, and the death of every worker", async () => {
    const page = await enter("stay", { expected: LOST });
    await draw(page, [10, 10], [30, 30], [10, 60]);
    await draw(page, [60, 10], [90, 30]);
    await counts(page, "2 strokes");
    await noteStates(page);
    server.reload();
    await server.logged(/generation=2|generation 2/);
    await draw(page, [60, 60], [90, 90]);
    await counts(page, "3 strokes");
    assert.deepEqual(await statesSince(page), [], "nobody was disconnected");
    for (const slot of [0, 1]) {
      await server.killWorker(slot);
    }
    await online(page);
    await page.keyboard.press("Control+z"); // still one's own
    await counts(page, "2 strokes");
    await page.reload();
    await counts(page, "2 strokes");
    await Promise.all([isDrawn(page, LEFT), isDrawn(page, RIGHT)]);
    const late = await enter("stay");
    await counts(late, "2 strokes");
    await leave(page, late);
  });
});

describe("what a page knows of a board", () => {
  const stroke = (n, by = "ada") => ({ n, by });
  const numbers = (strokes) => strokes.list().map(({ n }) => n);

  test("lies in the order of its numbers, however it comes, and each once", () => {
    const strokes = new Strokes();
    assert.deepEqual([2, 1, 3, 1].map((n) => strokes.add(stroke(n))), ["top", "below", "top", null]);
    assert.deepEqual([numbers(strokes), strokes.newest, strokes.size], [[1, 2, 3], 3, 3]);
  });

  test("does not come back when it was taken away, also before it came", () => {
    const strokes = new Strokes();
    strokes.add(stroke(1));
    strokes.erase(1);
    strokes.erase(2);
    assert.deepEqual([strokes.add(stroke(1)), strokes.add(stroke(2))], [null, null]);
    strokes.clear(5);
    strokes.clear(3); // an older one, that comes later
    assert.deepEqual([strokes.add(stroke(5)), strokes.add(stroke(6))], [null, "top"]);
    assert.deepEqual(numbers(strokes), [6]);
  });

  test("is not more than a board holds, and all is forgotten at once", () => {
    const strokes = new Strokes();
    strokes.limit = 2;
    assert.deepEqual([1, 2, 3].map((n) => strokes.add(stroke(n))), ["top", "top", "below"]);
    assert.deepEqual([numbers(strokes), strokes.add(stroke(1))], [[2, 3], null]);
    strokes.clear(2);
    strokes.forget();
    assert.deepEqual([strokes.add(stroke(1)), numbers(strokes)], ["top", [1]]);
  });
});
