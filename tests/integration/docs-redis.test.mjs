/* docs-redis.test.mjs - the application of "Use Redis" does what the page says.
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Scripts, Server } from "./harness.mjs";
import { page } from "./pages.mjs";
import { Redis } from "./redis.mjs";

const later = [];
after(async () => {
  for (const undo of later.reverse()) {
    await undo();
  }
});

test("visits are counted, and the best are known", async () => {
  const { text } = page("docs/how-to/use-redis.md").blocks.find(({ mark }) => mark === "file");
  const scripts = new Scripts({ "main.lua": text });
  later.push(() => scripts.remove());
  const redis = await Redis.start();
  later.push(() => redis.stop());
  const settings = { redis: { main: { timeout: 60, dead: 60, connect: 60 } } };
  const server = await Server.start(scripts.path("main.lua"), { settings, args: ["--redis", redis.url] });
  later.push(() => server.stop());
  const ask = (method, path) => fetch(`http://127.0.0.1:${server.port}${path}`, { method });

  for (const name of ["ada", "bob", "ada"]) {
    assert.equal((await ask("POST", `/visit/${name}`)).status, 200);
  }
  assert.deepEqual(await (await ask("POST", "/visit/ada")).json(), { name: "ada", visits: 3 });
  assert.deepEqual(await (await ask("GET", "/best")).json(), { all: 2, best: ["ada", "bob"] });

  await redis.cli("SET", "best", "no set");
  const wrong = await ask("GET", "/best");
  assert.equal(wrong.status, 500);
  assert.match((await wrong.json()).error, /^WRONGTYPE/);
  await redis.kill();
  assert.equal((await ask("GET", "/best")).status, 503);
});
