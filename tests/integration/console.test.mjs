/* console.test.mjs - tidewire console: lines of Lua in a running server.
 *
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { request } from "node:http";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Scripts, Server, patience, run, within } from "./harness.mjs";
import { inTerminal } from "./terminal.mjs";

const MAIN = `local tw = require "tidewire"
local words = require "words"
return tw.routes {
    ["GET /word"] = function() return 200, words.word .. " " .. tostring((pcall(function() return leaked end))) end,
}
`;
const scripts = new Scripts({ "main.lua": MAIN, "words.lua": 'return { word = "one" }' });
after(() => scripts.remove());

/* Runs `program ARGS` with lines of input. */
async function type(args, input) {
  const child = spawn(process.env.TIDEWIRE_BIN, args, { stdio: ["pipe", "pipe", "pipe"] });
  let stdout = "", stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text) => (stderr += text));
  child.stdin.on("error", () => {}); // it may end before it has read all
  child.stdin.end(input);
  const [code] = await within(`the end of ${args[0]}`, once(child, "close"), patience(120_000));
  return { code, stdout, stderr };
}

/* One POST to the Unix socket of the runtime folder. */
function post(server, path, body) {
  const socketPath = join(server.runtimeDir, "admin.sock");
  return within(`POST ${path}`, new Promise((resolve, reject) => {
    const sent = request({ socketPath, path, method: "POST", headers: { host: "localhost" }, agent: false }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (more) => (text += more));
      answer.on("end", () => resolve({ status: answer.statusCode, body: text }));
    });
    sent.on("error", reject).end(body);
  }));
}

describe("a console", () => {
  let server;
  before(async () => {
    server = await Server.start(scripts.path(), { workers: 2, settings: { lua: { budget: 0.3 }, admin_token: "open sesame" }, admin: "127.0.0.1:0" });
  });
  after(() => server?.stop());
  const evaluate = (lines, ...more) => run(["console", "--runtime-dir", server.runtimeDir, ...more, ...lines.flatMap((line) => ["-e", line])]);
  const input = (text, ...more) => type(["console", "--runtime-dir", server.runtimeDir, ...more], text);

  test("shows values and runs statements, in worker 0", async () => {
    const { code, stdout, stderr } = await evaluate(["1 + 1", "x = { 1, a = 'b' }", "x", "nil, tw.error('closed', 'gone')", "tw.worker", "print('said')"]);
    assert.equal(stdout, '2\n{ 1, a = "b" }\nnil, closed: gone\n0\nsaid\n');
    assert.deepEqual([code, stderr], [0, ""]);
  });

  test("runs in another worker, or in all", async () => {
    assert.equal((await evaluate(["tw.worker"], "--worker", "1")).stdout, "1\n");
    assert.equal((await evaluate(["tw.worker"], "--all")).stdout, "worker 0: 0\nworker 1: 1\n");
    const none = await evaluate(["1"], "--worker", "2");
    assert.equal(none.code, 1);
    assert.match(none.stderr, /there is no such worker/);
  });

  test("what a line changes in a module scripts see, its globals they do not", async () => {
    await evaluate(["leaked = 1", "require('words').word = 'two'"], "--all");
    const answer = await fetch(`http://127.0.0.1:${server.port}/word`);
    assert.equal(await answer.text(), "two false");
  });

  test("a line may wait", async () => {
    assert.equal((await evaluate(["tw.sleep(0.01) return 'woken'"])).stdout, '"woken"\n');
    assert.equal((await evaluate(["tw.channel('nowhere'):count()"])).stdout, "0\n");
  });

  test("an error is told with status 1, and ends the lines", async () => {
    const { code, stdout, stderr } = await evaluate(["1", "error('no such luck')", "2"]);
    assert.deepEqual([code, stdout, stderr], [1, "1\n", "console:1: no such luck\n"]);
  });

  test("a line that runs away is ended, and the worker lives", async () => {
    const { pid } = await server.worker(0);
    const { code, stderr } = await evaluate(["while true do end"]);
    assert.equal(code, 1);
    assert.match(stderr, /console:1: over its CPU budget of 300 ms/);
    assert.equal((await evaluate(["'alive'"])).stdout, '"alive"\n');
    assert.equal((await server.worker(0)).pid, pid);
  });

  test("reads lines that go on from what is no terminal", async () => {
    const { code, stdout, stderr } = await input("t = {\n  1,\n  2,\n}\n\n#t\nfor i = 1, 2 do\n  print(i)\nend\n");
    assert.deepEqual([code, stdout, stderr], [0, "2\n1\n2\n", ""]);
  });

  test("stops at the first line that fails, or is not whole at the end", async () => {
    const failed = await input("1\nerror('x')\n2\n");
    assert.deepEqual([failed.code, failed.stdout], [1, "1\n"]);
    const open = await input("f = function()\n");
    assert.equal(open.code, 1);
    assert.match(open.stderr, /the input ends within a statement/);
    const half = await evaluate(["{1,"]);
    assert.equal(half.code, 1);
    assert.match(half.stderr, /'\{1,' is not a whole statement/);
  });

  test("what is too long is refused", async () => {
    const { code, stderr } = await input(`x = "${"a".repeat(70_000)}"\n`);
    assert.equal(code, 1);
    assert.match(stderr, /more than 64 KiB in one line/);
    const sent = await post(server, "/api/console", `x = "${"a".repeat(70_000)}"`);
    assert.equal(sent.status, 413);
  });

  test("every line is logged with who, where, what and how it ended", async () => {
    const from = server.log.length;
    const { code } = await evaluate(["'find me'", "error('lose me')"], "--worker", "1");
    assert.equal(code, 1);
    const by = `by="uid ${process.getuid()}, pid \\d+"`;
    await server.logged(new RegExp(`msg="console line" worker=1 pid=\\d+ ${by} line="?'find me'"? generation=1`), from);
    await server.logged(new RegExp(`msg="console line ended" worker=1 pid=\\d+ ${by} outcome=done seconds=\\d+\\.\\d+`), from);
    await server.logged(/msg="console line ended" .* outcome=failed .*error="console:1: lose me"/, from);
  });

  test("a session keeps its globals until the reload", async () => {
    const ask = async (line) => JSON.parse((await post(server, "/api/console?session=mine", line)).body).workers[0];
    assert.deepEqual(await ask("kept = 3").then(({ outcome }) => outcome), "done");
    assert.equal((await ask("kept")).text, "3\n");
    assert.equal((await server.reload()).status, 200);
    const gone = await ask("kept");
    assert.equal(gone.outcome, "failed");
    assert.match(gone.text, /undefined variable 'kept'/);
    assert.ok(gone.generation >= 2);
  });

  test("a line whose console goes is cancelled", async () => {
    const from = server.log.length;
    const child = spawn(process.env.TIDEWIRE_BIN, ["console", "--runtime-dir", server.runtimeDir, "-e", "tw.sleep(1000)"], { stdio: "ignore" });
    await server.hookWaits(1);
    child.kill("SIGKILL");
    await server.logged(/msg="console line ended" .*outcome=failed .*whoever asked is gone/, from);
    await server.hookWaits(0);
  });

  test("a worker's death while it waits is told", async () => {
    const answer = evaluate(["tw.sleep(1000)"], "--worker", "1");
    await server.hookWaits(1);
    const { pid } = await server.worker(1);
    process.kill(pid, "SIGKILL");
    const { code, stderr } = await answer;
    assert.equal(code, 1);
    assert.match(stderr, /the worker is not there, or did not answer/);
    await server.replaced(1, pid);
  });

  test("TCP needs the token, and is logged so", async () => {
    const from = server.log.length;
    const send = (headers) => within("an answer", new Promise((resolve, reject) => {
      const sent = request({ port: server.adminPort, host: "127.0.0.1", path: "/api/console", method: "POST", agent: false, headers }, (answer) => {
        let body = "";
        answer.setEncoding("utf8").on("data", (text) => (body += text));
        answer.on("end", () => resolve({ status: answer.statusCode, body }));
      });
      sent.on("error", reject).end("'by token'");
    }));
    assert.equal((await send({})).status, 403);
    assert.equal((await send({ authorization: "Bearer wrong" })).status, 403);
    const { status, body } = await send({ authorization: "Bearer open sesame" });
    assert.equal(status, 200, body);
    assert.equal(JSON.parse(body).workers[0].text, '"by token"\n');
    await server.logged(/msg="console line" .*by="token, ip 127\.0\.0\.1" line="?'by token'/, from);
    assert.ok(!/wrong/.test(server.log.slice(from)));
  });

  test("nothing to run, or a session that is too long, is refused", async () => {
    assert.equal((await post(server, "/api/console", "")).status, 400);
    assert.equal((await post(server, `/api/console?session=${"s".repeat(65)}`, "1")).status, 400);
    assert.equal((await post(server, "/api/console?worker=x", "1")).status, 404);
    assert.equal((await server.ask("/api/console")).status, 405);
  });
});

describe("without the right to", () => {
  test("console = false refuses everybody", async () => {
    const server = await Server.start(scripts.path(), { settings: { console: false } });
    try {
      const { code, stderr } = await run(["console", "--runtime-dir", server.runtimeDir, "-e", "1"]);
      assert.equal(code, 1);
      assert.match(stderr, /the console is switched off/);
      assert.doesNotMatch(server.log, /console line/);
    } finally {
      await server.stop();
    }
  });
});

describe("in a terminal", () => {
  test("it prompts, goes on, changes workers and ends with Ctrl-D", async () => {
    const server = await Server.start(scripts.path(), { workers: 2 });
    try {
      const { code, stderr } = await inTerminal(["console", "--runtime-dir", server.runtimeDir], [
        { wait: "worker 0> " },
        { type: "x = {\n", wait: "      ... " },
        { type: "1 }\n", wait: "worker 0> " },
        { type: "#x\n", wait: "1\r\nworker 0> " },
        { type: "y = {\n", wait: "      ... " },
        { type: "\n", wait: "worker 0> " }, // gives up
        { type: ":worker 1\n", wait: "worker 1> " },
        { type: "tw.worker\n", wait: "1\r\nworker 1> " },
        { type: ":all\n", wait: "all> " },
        { type: "tw.worker\n", wait: "worker 0: 0\r\nworker 1: 1\r\nall> " },
        { type: "print(string.char(27) .. '[31m')\n", wait: "worker 0: ?[31m\r\n" }, // no order to a terminal
        { type: "error('no')\n", wait: "console:1: no\r\n" },
        { type: ":help\n", wait: ":quit" },
        { type: "\x04" },
      ]);
      assert.equal(code, 0, stderr);
      await server.reload();
      const again = await inTerminal(["console", "--runtime-dir", server.runtimeDir], [
        { wait: "worker 0> " },
        { type: "x = 1\n", wait: "worker 0> " },
        { type: "tw.generation\n", wait: "2\r\nworker 0> " },
        { type: ":quit\n" },
      ]);
      assert.equal(again.code, 0, again.stderr);
    } finally {
      await server.stop();
    }
  });
});
