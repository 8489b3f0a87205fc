/* dashboard.test.mjs - the dashboard draws the truth, and goes on drawing.
 * SPDX-License-Identifier: MIT */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import {
  assertFits,
  assertNamed,
  noteStates,
  online,
  screenshot,
  stage,
  statesSince,
  until,
} from "./harness.mjs";
import { pageModule } from "./page-module.mjs";

const { Figures } = await pageModule("figures.js");

const shared = stage("dashboard");

/* A viewer, and the samples that the page receives, put together as it does. */
async function watch(options) {
  const page = await shared.browser.visit("about:blank", options);
  const samples = [];
  const figures = new Figures();
  page.on("websocket", (socket) => {
    socket.on("framereceived", ({ payload }) => {
      const sample = figures.take(JSON.parse(payload));
      if (sample) {
        samples.push(sample);
      }
    });
  });
  await page.goto(`${shared.server.url}/dashboard/`);
  await online(page);
  return { page, samples };
}

function has(samples, count) {
  return until(`${count} samples`, () => samples.length >= count);
}

/* Waits until an element's text matches: a sample is known to the test a
 * moment before the page has shown it. */
function reads(page, selector, pattern) {
  return until(`${selector} reads ${pattern}`, async () => pattern.test(await page.textContent(selector)));
}

/* How many pixels of a chart are of its line's colour. */
function inked(page, chart) {
  return page.$eval(`[data-chart="${chart}"] canvas`, (canvas) => {
    const accent = getComputedStyle(document.documentElement).getPropertyValue("--accent").trim();
    const [red, green, blue] = [1, 3, 5].map((at) => parseInt(accent.slice(at, at + 2), 16));
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let count = 0;
    for (let i = 0; i < data.length; i += 4) {
      if (Math.abs(data[i] - red) + Math.abs(data[i + 1] - green) + Math.abs(data[i + 2] - blue) < 30) {
        count += data[i + 3] > 200 ? 1 : 0;
      }
    }
    return count;
  });
}

/* They wait for seconds to pass: all at once. */
describe("the dashboard", { concurrency: true }, () => {
  test("it shows the machine's real figures and the server's own", async () => {
    const { page, samples } = await watch();
    await has(samples, 4);
    const sample = samples.at(-1);
    const memory = readFileSync("/proc/meminfo", "utf8").match(/MemTotal: +(\d+)/)[1] * 1024;
    const cores = readFileSync("/proc/stat", "utf8").match(/^cpu\d+ /gm).length;
    const uptime = parseFloat(readFileSync("/proc/uptime", "utf8"));
    assert.equal(sample.memory.total, memory);
    assert.equal(sample.cpu.cores.length, cores);
    assert.ok(sample.cpu.total >= 0 && sample.cpu.total <= 100, `CPU ${sample.cpu.total} %`);
    assert.ok(Math.abs(sample.uptime - uptime) < 60);
    assert.equal(sample.load.length, 3);
    assert.equal(sample.server.workers.length, 2);
    assert.ok(sample.server.connections >= 1);

    await reads(page, "#facts", /^Machine up .+ 2 workers/);
    await reads(page, '[data-value="cpu"]', /^[\d.]+ %$/);
    await reads(page, '[data-value="memory-note"]', /^[\d.]+ [KMGT]iB of [\d.]+ [KMGT]iB$/);
    await reads(page, '[data-value="received"]', /B\/s$/);
    await reads(page, '[data-value="connections"]', /^\d+$/);
    assert.equal(await page.$$eval("#cores li", (items) => items.length), cores);
    assert.equal(await page.$$eval("#workers tr", (rows) => rows.length), 2);
    await until("the memory's line is drawn", async () => (await inked(page, "memory")) > 20);
    await assertNamed(page);
    await page.context().close();
  });

  test("who comes late has every figure at once, also those that come seldom", async () => {
    const first = await watch();
    await until("there is a load", () => first.samples.at(-1)?.load);
    /* Its first sample is complete, whenever it comes: the load is told only
     * every fifth time. */
    for (let trial = 0; trial < 3; trial++) {
      const { page, samples } = await watch();
      await has(samples, 1);
      const kinds = ["cpu", "load", "memory", "network", "server", "uptime"];
      assert.deepEqual(kinds.filter((kind) => samples[0][kind] === undefined), []);
      await page.context().close();
    }
    await first.page.context().close();
  });

  test("a sample comes once a second, the same one to every viewer", async () => {
    const viewers = [await watch(), await watch()];
    const [first, second] = viewers.map(({ samples }) => samples);
    const shared = () => first.filter(({ at }) => second.some((other) => other.at === at));
    await until("both see the same samples", () => shared().length >= 3);
    await has(first, 6);
    /* One of them may come late, but not half of them. */
    const steps = first.slice(1).map(({ at }, i) => at - first[i].at).sort((a, b) => a - b);
    const usual = steps[Math.floor(steps.length / 2)];
    assert.ok(usual > 0.5 && usual < 1.5, `${usual} s between two samples`);
    await Promise.all(viewers.map(({ page }) => page.context().close()));
  });

  test("it goes on drawing through a reload, without a false figure", async () => {
    const { page, samples } = await watch();
    await has(samples, 3);
    await noteStates(page);
    let generation = samples.at(-1).generation;
    /* A machine that is busy may make a gap, but not at every reload. */
    let gap = Infinity;
    for (let trial = 0; trial < 4 && gap > 2.5; trial++) {
      const from = samples.length;
      shared.server.reload();
      generation++;
      await until("the next generation", () => samples.at(-1).generation === generation);
      await has(samples, samples.length + 3);
      gap = Math.max(...samples.slice(from).map(({ at }, i) => at - samples[from + i - 1].at));
    }
    assert.ok(gap <= 2.5, `${gap} s without a sample`);
    for (const { cpu, network, server: own } of samples) {
      assert.ok(cpu.total >= 0 && cpu.total <= 100, `CPU ${cpu.total} %`);
      assert.ok(network.loopback >= 0 && network.loopback < 1e10, `${network.loopback} B/s`);
      assert.ok(own.deliveries >= 0 && own.deliveries < 1e5, `${own.deliveries} deliveries a second`);
    }
    assert.deepEqual(await statesSince(page), [], "the viewer stayed connected");
    await reads(page, "#facts", new RegExp(`generation ${generation}$`));
    await until("the line is still drawn", async () => (await inked(page, "memory")) > 20);
    await screenshot(page, "dashboard-reloaded");
    await page.context().close();
  });

  test("readings of the past are shown under the pointer and by the arrow keys", async () => {
    const { page, samples } = await watch();
    await has(samples, 5);
    const canvas = page.locator('[data-chart="cpu"] canvas');
    await canvas.focus();
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("ArrowLeft");
    const tip = page.locator('[data-chart="cpu"] .chart-tip');
    await tip.waitFor({ state: "visible" });
    assert.match(await tip.textContent(), /^\d\d:\d\d:\d\d  [\d.]+ %$/);
    await page.keyboard.press("Escape");
    await tip.waitFor({ state: "hidden" });
    await page.context().close();
  });

  test("it looks right light, dark and narrow, and keeps still when asked to", async () => {
    const looks = {
      // High enough for the whole page: charts that are out of sight rest.
      "dashboard-light": { viewport: { width: 1280, height: 1500 } },
      "dashboard-dark": { viewport: { width: 1280, height: 1500 }, colorScheme: "dark" },
      "dashboard-narrow": { viewport: { width: 360, height: 2600 }, reducedMotion: "reduce" },
    };
    const viewers = await Promise.all(Object.values(looks).map(watch));
    await Promise.all(viewers.map(({ samples }) => has(samples, 12)));
    for (const [i, name] of Object.keys(looks).entries()) {
      await assertFits(viewers[i].page);
      await screenshot(viewers[i].page, name, true);
      await viewers[i].page.context().close();
    }
  });
});
