/* tw.dict, tw.limit and conn:limit between workers, over a reload and the death
 * of a worker. SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { Client, dropAll, LAB } from "./client.mjs";
import { Server, until } from "./harness.mjs";

let server, one, two;

before(async () => {
  server = await Server.start(LAB, { workers: 2, settings: { limits: { dict_memory: 4 << 20 } } });
});
after(() => server?.stop());
afterEach(dropAll);

async function pair() {
  one = await Client.onWorker(server, 0);
  two = await Client.onWorker(server, 1);
}

const D = 'tw.dict("shared", { bytes = 65536 })';

/* A lock that was not to be had in time changed nothing: asked for again. */
const surely = (client, lua) => until(lua, async () => {
  const answer = await client.value(`local value, err = ${lua} return { value = value, code = err and err.code }`);
  return answer.code === "overloaded" ? false : answer;
});

describe("a dictionary", () => {
  test("is the same in all workers", async () => {
    await pair();
    await surely(one, `${D}:set("k", { who = "one" })`);
    assert.deepEqual((await surely(two, `${D}:get("k")`)).value, { who: "one" });
    assert.equal((await surely(two, `${D}:add("k", 1)`)).code, "exists");
    assert.equal((await surely(two, `${D}:delete("k")`)).value, true);
    assert.equal((await surely(one, `${D}:get("k") or "none"`)).value, "none");
  });

  test("loses no count when two workers count at once", async () => {
    await pair();
    const COUNT = `local d, done = ${D}, 0
      while done < 5000 do
        if d:incr("counted") then done = done + 1 else tw.sleep(0.001) end
        if d:update("updated", function(n) return (n or 0) + 1 end) then d:incr("updates") end
      end
      return done`;
    assert.deepEqual(await Promise.all([one.value(COUNT), two.value(COUNT)]), [5000, 5000]);
    assert.equal((await surely(one, `${D}:get("counted")`)).value, 10000);
    const { value: updated } = await surely(one, `${D}:get("updated")`);
    const { value: updates } = await surely(one, `${D}:get("updates")`);
    assert.ok(updates <= updated && updates > 0, `${updates} of ${updated}`);
  });

  test("stays over a reload and the death of a worker", async () => {
    await pair();
    await surely(one, `${D}:set("kept", "still here")`);
    await server.reload();
    assert.equal((await surely(two, `${D}:get("kept")`)).value, "still here");
    const { pid } = await server.worker(0);
    process.kill(pid, "SIGKILL");
    await server.replaced(0, pid);
    one = await Client.onWorker(server, 0);
    assert.equal((await surely(one, `${D}:get("kept")`)).value, "still here");
    await surely(one, `${D}:set("kept", "and written")`);
    assert.equal((await surely(two, `${D}:get("kept")`)).value, "and written");
  });

  test("survives workers that are killed while they write", async () => {
    await pair();
    const WRITE = `local d, text = ${D}, ("x"):rep(3000)
      for i = 1, math.huge do d:set("w" .. i % 50, text) if i % 100 == 0 then tw.sleep(0) end end`;
    for (let i = 0; i < 3; i++) {
      const { pid } = await server.worker(0);
      one.value(WRITE).catch(() => {});
      await until("it writes", async () => (await surely(two, `${D}:get("w1") and true`)).value);
      process.kill(pid, "SIGKILL");
      await server.replaced(0, pid);
      await surely(two, `${D}:flush()`);
      await surely(two, `${D}:set("after", ${i})`);
      one = await Client.onWorker(server, 0);
      assert.equal((await surely(one, `${D}:get("after")`)).value, i);
    }
  });

  test("that does not fit is an error", async () => {
    await pair();
    const { value, code } = await surely(one, `tw.dict("huge", { bytes = 2^30 })`);
    assert.deepEqual([value, code], [undefined, "limit"]);
  });
});

test("a limit is the whole server's", async () => {
  await pair();
  const TAKE = 'tw.limit("ann", { rate = 0.001, burst = 3 })';
  for (const client of [one, two, one]) {
    assert.equal((await surely(client, TAKE)).value, true);
  }
  assert.equal((await surely(two, TAKE)).code, "limit");
  const wait = await two.value(`local _, err = ${TAKE} return err.retry_after or 500`);
  assert.ok(wait > 300 && wait <= 1000, `${wait} s`);
});

test("a connection can be given a rate of its own", async () => {
  await pair();
  assert.equal(await one.value('return conn:limit { rate = 0.001, burst = 2, over = "close" }'), true);
  one.value("return 1").catch(() => {});
  one.value("return 2").catch(() => {});
  one.value("return 3").catch(() => {});
  await one.expectClose(1008);
  assert.equal(await two.value("return conn:limit()"), true);
});
