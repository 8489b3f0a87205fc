/* guides.test.mjs - the pages that the guides have one write do what the guides
 * say. SPDX-License-Identifier: MIT */

import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { page as guide } from "../integration/pages.mjs";
import { Browser, SCRIPTS, Server, Wire, screenshot, until } from "./harness.mjs";

let browser;

before(async () => {
  browser = await Browser.start();
});
after(() => browser?.stop());

/* The application of a guide, of each file the last version, beside the files
 * for the browser that it says to copy. */
async function serve(name) {
  const folder = mkdtempSync(join(tmpdir(), "tidewire-guide-"));
  const write = (path, text) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  for (const { mark, value, text } of guide(name).blocks) {
    if (mark === "file") {
      write(value === "chat.lua" ? "main.lua" : value, text);
    }
  }
  for (const file of ["socket.js", "stream.js"]) {
    copyFileSync(join(SCRIPTS, "www/lib", file), join(folder, "www", file));
  }
  const server = await Server.start(`guide-${name.replaceAll(/\W/g, "-")}`, folder);
  const remove = async () => {
    await server.stop();
    rmSync(folder, { recursive: true });
  };
  return { server, remove };
}

const EXPECTED = /WebSocket connection to .* failed|net::ERR_|favicon|404/;

function lines(page, list) {
  return page.$$eval(`${list} li`, (items) => items.map((item) => item.textContent));
}

function has(page, list, pattern) {
  return until(`${list} has ${pattern}`, async () => (await lines(page, list)).some((line) => pattern.test(line)));
}

describe("the tutorial's last page", () => {
  test("lets people talk, keeps what they say, and comes back", async () => {
    const { server, remove } = await serve("docs/tutorial/chat.md");
    const wire = await Wire.to(server);
    const visit = async (name, on) => {
      const page = await browser.visit("about:blank", { expected: EXPECTED });
      page.on("dialog", (dialog) => dialog.accept(name));
      await page.goto(`${on.url}/#tea`);
      await has(page, "#log", new RegExp(`^${name} is here`));
      return page;
    };
    const say = async (page, text) => {
      await page.fill("#text", text);
      await page.click("button");
      await has(page, "#log", new RegExp(`: ${text}$`));
    };
    const ada = await visit("Ada", wire);
    await say(ada, "the kettle boils");
    const bob = await visit("Bob", server);
    await has(bob, "#log", /Ada: the kettle boils$/);
    await wire.cut();
    await has(bob, "#log", /^Ada has left/);
    await say(bob, "milk or lemon");
    await wire.mend();
    await has(ada, "#log", /Bob: milk or lemon$/);
    await say(ada, "lemon");
    await has(bob, "#log", /Ada: lemon$/);
    const spoken = (await lines(ada, "#log")).filter((line) => line.includes(": ")).map((line) => line.split(": ").at(-1));
    assert.deepEqual(spoken, ["the kettle boils", "milk or lemon", "lemon"]);
    assert.ok(!(await lines(ada, "#log")).some((line) => line.includes("missed")));
    await screenshot(ada, "guide-tutorial");
    await Promise.all([ada, bob].map((page) => page.context().close()));
    await wire.remove();
    await remove();
  });
});

describe("recover-missed-messages.md", () => {
  test("its page misses nothing while cut off, and says so when it may have", async () => {
    const { server, remove } = await serve("docs/how-to/recover-missed-messages.md");
    const post = (text) => fetch(`${server.url}/news/tea`, { method: "POST", body: text });
    const wire = await Wire.to(server);
    const page = await browser.visit(wire.url, { expected: EXPECTED });
    const shows = (list) => until(`it shows ${list}`, async () => JSON.stringify(await lines(page, "#news")) === JSON.stringify(list));
    await post("one");
    await shows(["one"]);
    await wire.cut();
    await post("two");
    await post("three");
    await wire.mend();
    await shows(["one", "two", "three"]);
    await wire.cut();
    await server.stop();
    await server.run(); // on the same port, without what it knew
    await post("four");
    await wire.mend();
    await shows(["one", "two", "three", "(something may be missing here)", "four"]);
    await page.context().close();
    await wire.remove();
    await remove();
  });
});
