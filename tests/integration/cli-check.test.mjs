/* cli-check.test.mjs - tidewire check finds what is wrong, all of it, and
 * nothing that is right. SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { afterEach, describe, test } from "node:test";
import { run, Scripts, source } from "./harness.mjs";

const later = [];
afterEach(() => later.splice(0).forEach((scripts) => scripts.remove()));

/* { code, stdout, lines } of a check of these files. */
async function check(files, args = []) {
  const scripts = new Scripts(files);
  later.push(scripts);
  const { code, stdout, stderr } = await run(["check", "main.lua", "--log-format", "logfmt", ...args], { cwd: scripts.folder });
  return { code, stdout, lines: stderr.trim().split("\n") };
}

async function expectLines(files, lines) {
  const end = await check(files);
  assert.deepEqual(end.lines, lines);
  assert.equal(end.code, 1);
  assert.equal(end.stdout, "");
}

const HEAD = 'local tw = require "tidewire"\n';

describe("check", () => {
  test("finds all that is wrong, in every file, by its lines", () =>
    expectLines({
      "main.lua": `${HEAD}local lib = require "lib.x"
local names = {}
return tw.routes { ["/a"] = tw.app {
    on_mesage = function(conn, msg)
        count = #naems
        prnt(names, lib)
    end,
    pingg = 3,
    on_open = function() tw.publsh("x", tw.json.encod {}) end,
} }\n`,
      "lib/x.lua": "local M = {}\nfunction M.f() return io.open('x') end\nfunction M.g() return undefind end\nreturn M\n",
    }, [
      "main.lua:5: unknown hook 'on_mesage' (did you mean 'on_message'?)",
      "main.lua:6: assignment to global 'count' (_G is read-only: declare it local)",
      "main.lua:6: undefined variable 'naems' (did you mean 'names'?)",
      "main.lua:7: undefined variable 'prnt' (did you mean 'print'?)",
      "main.lua:9: unknown option 'pingg' (did you mean 'ping'?)",
      "main.lua:10: tw: unknown name 'publsh' (did you mean 'publish'?)",
      "main.lua:10: tw.json: unknown name 'encod' (did you mean 'encode'?)",
      "./lib/x.lua:2: 'io' is not available to scripts",
      "./lib/x.lua:3: undefined variable 'undefind'",
    ]));

  /* Those that take options, each with a misspelt one, and what it is called. */
  const CALLS = [
    ['tw.publish("a", 1, { excpet = 1 })', "tw.publish", "excpet", "except"],
    ['tw.user("a"):send({ any = 1 }, { kye = "x" })', "user:send", "kye", "key"],
    ['tw.conn(conn.id):send("a", { binray = true })', "remote:send", "binray", "binary"],
    ['tw.every(1, print, { nam = "x" })', "tw.every", "nam", "name"],
    ['tw.http.get("http://127.0.0.1/", { timeot = 1 })', "tw.http.get", "timeot", "timeout"],
    ['tw.http.post("http://127.0.0.1/", {}, { headres = {} })', "tw.http.post", "headres", "headers"],
    ['tw.http.request { ulr = "http://127.0.0.1/" }', "tw.http.request", "ulr", "url"],
    ['tw.limit("a", { rat = 1 })', "tw.limit", "rat", "rate"],
    ['tw.dict("a", { byts = 1 })', "tw.dict", "byts", "bytes"],
    ['tw.jwt.verify("a", { secrte = "x" })', "tw.jwt.verify", "secrte", "secret"],
    ['tw.crypto.sha256("a", { az = "hex" })', "tw.crypto.sha256", "az", "as"],
    ['tw.crypto.hmac("a", "b", { hsah = "sha1" })', "tw.crypto.hmac", "hsah", "hash"],
    ['tw.crypto.random(9, { az = "hex" })', "tw.crypto.random", "az", "as"],
    ['tw.metric.counter("a_total", {}, { hlep = "x" })', "tw.metric.counter", "hlep", "help"],
    ['tw.metric.gauge("a", {}, { ovre = "max" })', "tw.metric.gauge", "ovre", "over"],
    ['tw.metric.histogram("b", {}, { bucktes = {} })', "tw.metric.histogram", "bucktes", "buckets"],
    ['tw.channel("a"):history { limti = 1 }', "channel:history", "limti", "limit"],
    ['tw.channel("a"):presence({ limti = 1 })', "channel:presence", "limti", "limit"],
  ].map(([call, what, wrong, right]) => ({ call, says: `${what}: unknown option '${wrong}' (did you mean '${right}'?)` }));
  const CALLER = `${HEAD}return tw.app { on_message = function(conn)
${CALLS.map(({ call }) => `    conn:send(select(2, pcall(function() ${call} end)))`).join("\n")}
end }\n`;

  test("finds misspelt options of calls in hooks", () => expectLines({ "main.lua": CALLER }, CALLS.map(({ says }, i) => `main.lua:${i + 3}: ${says}`)));

  test("says of them what the running hook says", async () => {
    const scripts = new Scripts({
      "main.lua": CALLER,
      "main_test.lua": `local t = require "tidewire.test"
t.it("says so", function()
    local c = t.server("main.lua"):connect()
    c:send "all"
${CALLS.map(({ says }, i) => `    t.equal(c:receive(), ${JSON.stringify(`main.lua:${i + 3}: ${says}`)})`).join("\n")}
end)\n`,
    });
    later.push(scripts);
    const { code, stdout, stderr } = await run(["test", "main_test.lua"], { cwd: scripts.folder });
    assert.equal(code, 0, stdout + stderr);
  });

  test("leaves alone what is data, and what it cannot know", async () => {
    const { code, stderr } = await check({
      "main.lua": `${HEAD}local publish, other = tw.publish, { http = { get = print }, history = print }
return tw.app { on_message = function(conn, msg)
    tw.publish("a", { excpet = 1 }, { except = conn })
    tw.http.post("http://x/", { timeot = 1 }, { timeout = 1 })
    publish("a", 1, { mine = 1 })
    other.http.get("x", { timeot = 1 })
    other:history { limti = 1 }
    conn:send({ binray = 1 })
    return tw.publish("a", { msg = { wait = 1 } }, { wait = (function() return { waite = 1 } end)().waite == 1 })
end }\n`,
    });
    assert.equal(code, 0, stderr);
  });

  test("tells a syntax error once, and what else is wrong in other files", () =>
    expectLines({
      "main.lua": `${HEAD}require "fine"\nrequire "broken"\nreturn tw.app {}\n`,
      "fine.lua": "return function() return nowhere end\n",
      "broken.lua": "local x = = 1\n",
    }, [
      "./fine.lua:1: undefined variable 'nowhere'",
      "./broken.lua:1: unexpected symbol near '='",
    ]));

  test("tells of a module that is not there where it is required", async () => {
    const { code, lines } = await check({ "main.lua": `${HEAD}\nlocal x = require "lib.gone"\nreturn tw.app { on_start = x }\n` });
    assert.equal(code, 1);
    assert.equal(lines[0], "main.lua:3: module 'lib.gone' not found:");
  });

  test("tells of a module that only a running function would load", async () => {
    await expectLines({
      "main.lua": `${HEAD}local known = require "known"\nreturn tw.app { on_start = function()
    require "known"
    local late = require("late")
    late(known)
end }\n`,
      "known.lua": "return {}\n",
      "late.lua": "return print\n",
    }, ["main.lua:5: module 'late' is not loaded: require it where the script loads, not in a function that runs later"]);
  });

  test("tells of waiting while the script loads", async () => {
    const { code, lines } = await check({ "main.lua": `${HEAD}tw.sleep(1)\nreturn tw.app {}\n` });
    assert.equal(code, 1);
    assert.match(lines[0], /^main\.lua:2: .*while the script loads/);
  });

  test("tells what the script raised, and of what it does not return", async () => {
    assert.deepEqual((await check({ "main.lua": `${HEAD}error "no key"\n` })).lines, ["main.lua:2: no key"]);
    assert.match((await check({ "main.lua": "return 1\n" })).lines[0], /^main\.lua: /);
  });

  test("with --format json prints one object", async () => {
    const wrong = await check({ "main.lua": "x = 1\nreturn y\n" }, ["--format", "json"]);
    assert.equal(wrong.code, 1);
    assert.deepEqual(JSON.parse(wrong.stdout), {
      ok: false,
      script: "main.lua",
      summary: "",
      findings: [{ file: "main.lua", line: 1, message: "assignment to global 'x' (_G is read-only: declare it local)" }, { file: "main.lua", line: 2, message: "undefined variable 'y'" }],
    });
    const fine = await check({ "main.lua": `${HEAD}return tw.app {}\n` }, ["--format=json"]);
    assert.equal(fine.code, 0);
    assert.deepEqual(JSON.parse(fine.stdout), { ok: true, script: "main.lua", summary: "1 route, 0 channel classes", findings: [] });
    const whole = await check({ "main.lua": "return 1\n" }, ["--format=json"]);
    assert.equal(JSON.parse(whole.stdout).findings[0].line, null);
  });

  test("a configuration that is wrong ends with 2, and names file and key", async () => {
    const { code, lines } = await check({ "main.lua": `${HEAD}return tw.app {}\n`, "config.lua": "return { limts = {} }\n" }, ["--config", "config.lua"]);
    assert.equal(code, 2);
    assert.match(lines[0], /config\.lua.*limts.*limits/);
  });

  test("a script that is not there ends with 1", async () => {
    const { code, stderr } = await run(["check", "/nowhere/main.lua"]);
    assert.equal(code, 1);
    assert.match(stderr, /\/nowhere\/main\.lua/);
  });

  test("does not mind what is right", async () => {
    const { code, lines } = await check({
      "main.lua": `#!/usr/bin/env tidewire
local tw = require "tidewire"
local M = setmetatable({}, { __index = function(_, name) return name end })
local tonumber, goto_end = tonumber, 1
function M.x(a, ...)
    local undefined = _G.print or rawget(_G, "nothing") -- nowhere --[[ nowhere ]]
    for i, v in pairs { nowhere = a, [a] = select("#", ...) } do M[i] = v.nowhere end
    repeat local done = goto_end until done
    goto last
    do local text = [==[ nowhere ]==] .. 'no\\'where' .. "\\z
        nowhere" M.nowhere(text, undefined, self) end
    ::last::
    return bit.band(tonumber "0x10" or 0x1p4, 2LL and 1 or 3)
end
function M:y() return self, pcall(require, "nowhere") end
return tw.app { on_message = M.x, on_start = M.y }\n`.replace(", self)", ")"),
    });
    assert.deepEqual(lines, [""]);
    assert.equal(code, 0);
  });

  const examples = readdirSync(`${source}/examples`).flatMap((name) => ["app", "main"].map((file) => `examples/${name}/${file}.lua`));
  const scripts = ["scripts/main.lua", ...examples.filter((name) => existsSync(`${source}/${name}`)), ...["lab", "matrix", "state", "hostile"].map((name) => `tests/integration/${name}.lua`)];
  for (const name of scripts) {
    test(`finds nothing in ${name}`, async () => {
      const { code, stdout, stderr } = await run(["check", `${source}/${name}`]);
      assert.deepEqual([code, stderr], [0, ""], stderr);
      assert.match(stdout, /: ok, \d+ route/);
    });
  }
});
