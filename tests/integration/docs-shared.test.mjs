/* docs-shared.test.mjs - the application of "Share between workers" does what
 * the page says. SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Scripts, Server, until } from "./harness.mjs";
import { page } from "./pages.mjs";

let scripts, server;

before(async () => {
  const { text } = page("docs/how-to/share-between-workers.md").blocks.find(({ mark }) => mark === "file");
  scripts = new Scripts({ "main.lua": text });
  server = await Server.start(scripts.path("main.lua"), { workers: 2 });
});
after(async () => {
  await server?.stop();
  scripts?.remove();
});

/* A new connection each time, so that both workers are asked. What was busy is
 * asked again. */
const ask = (path, method = "GET") => until(path, async () => {
  const answer = await fetch(`http://127.0.0.1:${server.port}${path}`, { method, headers: { connection: "close" } });
  const body = await answer.json();
  return answer.status === 503 ? false : { status: answer.status, body };
});

const post = (path) => ask(path, "POST");

test("votes are counted over all workers, one for each user", async () => {
  for (let i = 1; i <= 20; i++) {
    const { status, body } = await post(`/vote/tea?user=${i}`);
    assert.deepEqual([status, body], [200, { name: "tea", votes: i }]);
  }
  assert.equal((await post("/vote/tea?user=7")).status, 409);
  assert.equal((await post("/vote/coffee?user=7")).status, 200);
  assert.deepEqual((await ask("/votes")).body, { tea: 20, coffee: 1 });
});

test("they stay over a reload and the death of a worker", async () => {
  await server.reload();
  const { pid } = await server.worker(1);
  process.kill(pid, "SIGKILL");
  await server.replaced(1, pid);
  assert.equal((await ask("/votes")).body.tea, 20);
});

test("a seat is taken once", async () => {
  const answers = await Promise.all([..."abcdef"].map((user) => post(`/reserve/blue?user=${user}`)));
  const taken = answers.filter(({ status }) => status === 200);
  assert.equal(taken.length, 2);
  assert.equal(answers.filter(({ status }) => status === 409).length, 4);
  const last = taken.find(({ body }) => body.free === 0).body.who;
  assert.equal(new Set(last).size, 2);
});

test("what was looked up is known to the others", async () => {
  assert.deepEqual((await ask("/price/apple")).body, { price: 50, cached: false });
  for (let i = 0; i < 8; i++) {
    assert.deepEqual((await ask("/price/apple")).body, { price: 50, cached: true });
  }
});

test("who asks too often is told when to come again", async () => {
  const until429 = await until("a refusal", async () => {
    const answers = await Promise.all(Array.from({ length: 150 }, () =>
      fetch(`http://127.0.0.1:${server.port}/vote/tea?user=1`, { method: "POST" })));
    await Promise.all(answers.map((answer) => answer.text()));
    return answers.find(({ status }) => status === 429);
  });
  assert.ok(Number(until429.headers.get("retry-after")) >= 1);
});
