/* profile.test.mjs - tidewire profile: where CPU time goes.
 *
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { once } from "node:events";
import { after, before, describe, test } from "node:test";
import { Client } from "./client.mjs";
import { Scripts, Server, run, source, until } from "./harness.mjs";

/* A task works in Lua and in C that Lua calls, and rests a little; a message
 * never ends. */
const MAIN = `local tw = require "tidewire"
local function hot_loop(n)
    local sum = 0
    for i = 1, n do sum = sum + i % 7 end
    return sum
end
local function encode_much()
    local text
    for i = 1, 200 do text = tw.json.encode({ i, "text", { a = i } }) end
    return text
end
local function work()
    while true do
        hot_loop(1e6)
        encode_much()
        tw.sleep(0.005)
    end
end
return tw.app {
    on_start = function() tw.spawn(work) end,
    on_open = function(conn) conn:send(tostring(tw.worker)) end,
    on_message = function(conn, msg)
        if msg.data == "endless" then while true do end end
        conn:send(msg)
    end,
}
`;
const scripts = new Scripts({ "main.lua": MAIN });
after(() => scripts.remove());

/* Folded stacks as [frames, count]. */
function stacks(text) {
  return text.trimEnd().split("\n").map((line) => {
    const [, frames, count] = /^(.*) (\d+)$/.exec(line) ?? assert.fail(`no stack: ${line}`);
    return [frames.split(";"), Number(count)];
  });
}

async function onWorker(server, wanted) {
  for (;;) {
    const client = await Client.open(server);
    if ((await client.next()) === wanted) {
      return client;
    }
    client.drop();
  }
}

describe("a profile", () => {
  let server;
  before(async () => {
    server = await Server.start(scripts.path(), { workers: 2, settings: { lua: { budget: 0.5 } } });
  });
  after(() => server?.stop());
  const profile = (...more) => run(["profile", "--runtime-dir", server.runtimeDir, ...more]);

  /* How many samples there are is the machine's business: asks until `isEnough`
   * is satisfied with what came. */
  async function folded(isEnough, ...more) {
    const all = [];
    await until("enough samples", async () => {
      const { code, stdout, stderr } = await profile("--folded", "--seconds", "1", ...more);
      assert.deepEqual([code, stderr], [0, ""]);
      all.push(...(stdout === "" ? [] : stacks(stdout)));
      return isEnough(all);
    });
    return all;
  }
  const has = (all, ...wanted) => all.some(([frames]) => wanted.every((name) => frames.some((frame) => frame.startsWith(name))));

  test("names hot Lua functions, C functions that they call, and those that call them", async () => {
    const all = await folded((some) => has(some, "hot_loop main.lua:2") && has(some, "encode_much main.lua:7", "json_encode") && has(some, "worker 0") && has(some, "worker 1"));
    const [frames] = all.find(([some]) => some.some((frame) => frame.startsWith("hot_loop ")));
    const at = (name) => frames.findIndex((frame) => frame.startsWith(name));
    assert.match(frames[0], /^worker [01]$/);
    assert.ok(at("twl_run") > 0 || at("twl_resume") > 0, frames.join(";"));
    assert.ok(at("task main.lua:12") > 0, frames.join(";"));
    assert.equal(at("hot_loop "), frames.length - 1, frames.join(";"));
    assert.ok(at("task main.lua:12") < at("hot_loop "));
  });

  test("of one worker has no other", async () => {
    const all = await folded((some) => some.length > 0, "--worker", "1");
    assert.ok(all.every(([frames]) => frames[0] === "worker 1"));
  });

  test("is a picture that is well-formed XML", async () => {
    const path = scripts.path("profile.svg");
    let svg;
    await until("it has a sample of the loop", async () => {
      const { code, stdout } = await profile("--seconds", "2", "-o", path);
      assert.equal(code, 0);
      assert.match(stdout, /profile\.svg: \d+ samples\n/);
      svg = readFileSync(path, "utf8");
      return /<title>hot_loop main\.lua:2 \(\d+ samples, [\d.]+%\)<\/title>/.test(svg);
    });
    assert.match(svg, /^<\?xml version="1\.0" encoding="UTF-8"\?>\n<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
    assert.match(svg, /2\.0 s of 2 workers: \d+ samples, one in 10 ms of CPU time/);
    const [end] = await once(spawn("python3", ["-c", "import sys, xml.dom.minidom as dom; dom.parse(sys.argv[1])", path], { stdio: "inherit" }), "close");
    assert.equal(end, 0);
    rmSync(path);
  });

  test("goes to standard output with -o -", async () => {
    const { code, stdout } = await profile("--seconds", "0.2", "-o", "-");
    assert.equal(code, 0);
    assert.match(stdout, /^<\?xml [^]*<\/svg>\n$/);
  });

  test("the budget goes on working, and the worker lives", async () => {
    const { pid } = await server.worker(0);
    await until("the loop is in a profile", async () => {
      const client = await onWorker(server, "0");
      const from = server.log.length;
      const taken = profile("--seconds", "3", "--worker", "0", "--folded");
      await server.logged(/msg=profile worker=0/, from);
      client.send("endless");
      await server.logged(/call=on_message kind=budget error="\S+main\.lua:\d+: over its CPU budget of 500 ms"/, from);
      const { code, stdout } = await taken;
      assert.equal(code, 0);
      client.drop();
      return stdout !== "" && has(stacks(stdout), "on_message main.lua:22");
    });
    assert.equal((await server.worker(0)).pid, pid);
  });

  test("only one at a time in a worker; the other is told", async () => {
    const from = server.log.length;
    const first = profile("--seconds", "60", "--worker", "0");
    await server.logged(/msg=profile worker=0/, from);
    const { code, stderr } = await profile("--seconds", "0.1", "--worker", "0");
    assert.equal(code, 1);
    assert.match(stderr, /worker 0: a profile of this worker is under way/);
    assert.equal((await server.ask("/api/profile?ms=99", "POST")).status, 400);
    /* A worker's death ends it. */
    const { pid } = await server.worker(0);
    process.kill(pid, "SIGKILL");
    const end = await first;
    assert.equal(end.code, 1);
    assert.match(end.stderr, /worker 0: the worker is not there, or did not answer/);
    await server.replaced(0, pid);
  });

  test("who does not wait for it ends it", async () => {
    const from = server.log.length;
    const child = spawn(process.env.TIDEWIRE_BIN, ["profile", "--runtime-dir", server.runtimeDir, "--seconds", "60", "--worker", "1"], { stdio: "ignore" });
    await server.logged(/msg=profile worker=1/, from);
    child.kill("SIGKILL");
    await until("another can be taken", async () => (await profile("--seconds", "0.1", "--worker", "1", "--folded")).code === 0);
  });

  test("goes on over a reload", async () => {
    const from = server.log.length;
    const taken = profile("--seconds", "3", "--worker", "0", "--folded");
    await server.logged(/msg=profile worker=0/, from);
    const { status, body } = await server.reload();
    assert.equal(status, 200, body);
    const { code, stderr } = await taken;
    assert.deepEqual([code, stderr], [0, ""]);
    await folded((some) => has(some, "hot_loop main.lua:2"), "--worker", "0");
  });
});

test("scripts that are not compiled have Lua stacks, too", async () => {
  const server = await Server.start(scripts.path(), { settings: { lua: { jit: false } } });
  try {
    await until("a sample of them", async () => {
      const { stdout } = await run(["profile", "--runtime-dir", server.runtimeDir, "--folded", "--seconds", "1"]);
      return /;hot_loop main\.lua:2 \d+$/m.test(stdout);
    });
    assert.equal((await server.reload()).status, 200);
  } finally {
    await server.stop();
  }
});

test("a worker that waits has no samples, and the picture says so", async () => {
  const server = await Server.start(join(source, "examples/echo/app.lua"));
  try {
    const { code, stdout } = await run(["profile", "--runtime-dir", server.runtimeDir, "--seconds", "0.1", "-o", "-"]);
    assert.equal(code, 0);
    assert.match(stdout, /0\.1 s of 1 worker: \d+ samples/);
  } finally {
    await server.stop();
  }
});
