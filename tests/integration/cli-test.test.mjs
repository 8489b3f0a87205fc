/* cli-test.test.mjs - tidewire test: what passes passes, and what is wrong
 * fails, with the place and the reason.
 *
 * What the library can do is shown by the tests of the scripts themselves; here
 * is what no passing test can show.
 *
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { run, Scripts } from "./harness.mjs";

/* Does what it is told by message. */
const APP = `
local tw = require "tidewire"
tw.channels { ["kept"] = { history = 10, ttl = 60 } }
local commands = {
    echo = function(conn, m) conn:send(m) end,
    boom = function() error "boom!" end,
    later = function() tw.after(1, function() error "too late" end) end,
    task = function() tw.spawn(function() error "in a task" end) end,
    keep = function(conn) conn.state.deep = { inner = { fn = function() end } } end,
    http = function(conn, m) local res, err = tw.http.get(m.url) conn:send { status = res and res.status, error = err and err.code } end,
    redis = function(conn, m)
        local value, err = tw.redis(m.name):call(unpack(m.args))
        conn:send { value = value, error = err and err.code, message = err and err.message }
    end,
    loop = function() while true do end end,
    again = function() local function again() tw.publish("again", "x") end if tw.worker == 0 then tw.subscribe("again", again) again() end end,
    publish = function(_, m) tw.publish("kept", m) end,
    log = function() tw.log.info("said so", { a = 1 }) end,
    now = function(conn) conn:send { now = tw.now(), clock = tw.clock(), generation = tw.generation, worker = tw.worker } end,
}
return tw.routes {
    ["/"] = tw.app {
        on_open = function(conn) return conn:subscribe "kept" end,
        on_message = function(conn, msg) local m = msg:json() commands[m.cmd](conn, m) end,
        on_close = function(_, code) tw.log.info("closed", { code = code }) end,
    },
    ["/closed"] = tw.app { on_upgrade = function() return nil, { status = 401, reason = "no" } end },
    ["POST /sleep"] = function(req) tw.sleep(req:json().seconds) return 201, { ip = req.ip } end,
    ["GET /boom"] = function() error "in a handler" end,
}
`;

let scripts;
beforeEach(() => {
  scripts = new Scripts({ "main.lua": APP });
});
afterEach(() => scripts.remove());

async function runTests(text, args = []) {
  scripts.write("case_test.lua", text);
  return run(["test", ...args, "case_test.lua"], { cwd: scripts.folder });
}

/* One case with a server \`s\` and a client \`c\`. */
const one = (body) => `local t = require "tidewire.test"
t.it("case", function() local s = t.server "main.lua" local c = s:connect()
${body}
end)
`;

function passes(name, body) {
  test(name, async () => {
    const { code, stdout, stderr } = await runTests(one(body));
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /^case_test\.lua\n {2}ok case\n1 passed, 0 failed in /);
  });
}

function fails(name, body, ...expected) {
  test(name, async () => {
    const { code, stdout, stderr } = await runTests(one(body));
    assert.equal(code, 1, stdout + stderr);
    assert.match(stdout, / {2}FAILED case\n/);
    for (const pattern of expected) {
      assert.match(stdout, pattern);
    }
  });
}

describe("a case fails", () => {
  fails("for another frame, with what differs", 'c:send { cmd = "echo", a = { b = { 1, 2 } } }\nc:expect { cmd = "echo", a = { b = { 1, 3 } } }',
    /case_test\.lua:4: another frame came/, /a\.b\[2\]: expected 3, got 2/);
  fails("for a list of another length", 'c:send { cmd = "echo", a = { 1, 2, 3 } } c:expect { a = { 1, 2 } }', /a \(length\): expected 2, got 3/);
  fails("for text that is not in the frame", 'c:send { cmd = "echo", a = "xyz" } c:expect "abc"', /another frame came/);
  fails("when no frame comes", 'c:expect "x"', /case_test\.lua:3: no frame came/, /the connection is open/);
  fails("when a frame comes that is not expected", 'c:send { cmd = "echo" }\nc:expect_none()', /case_test\.lua:4: no frame was expected, 1 came/);
  fails("without a close", "c:expect_close(1000)", /no close came/);
  fails("for another close", 's:expect_error "boom" c:send { cmd = "boom" } c:expect_close(1000)', /another close came/, /got: {6}1011/);
  fails("for frames before a close", 'c:send { cmd = "echo" } c:drop() c:expect_close(1006)', /before the close with 1006 came/);
  fails("when a hook raises, with its traceback", 'c:send { cmd = "boom" }', /case_test\.lua:3: on_message failed in worker 0: main\.lua:6: boom!/, /in function <main\.lua:\d+>/);
  fails("when a timer raises", 'c:send { cmd = "later" }\ns:advance(2)', /case_test\.lua:4: tw\.after failed in worker 0: .*too late/);
  fails("when a task raises", 'c:send { cmd = "task" }', /failed in worker 0: .*in a task/);
  fails("when a handler raises", 's:request "/boom"', /failed in worker \d: .*in a handler/);
  fails("when an error that was announced does not come", 's:expect_error "boom"', /"boom" was expected, and none came/);
  fails("when another error comes than was announced", 's:expect_error "bang" c:send { cmd = "boom" }', /boom!/);
  fails("when conn.state would lose something", 'c:send { cmd = "keep" }', /conn\.state\.deep\.inner\.fn is a function: a reload would drop it/);
  fails("for a request that no stub answers", 'c:send { cmd = "http", url = "http://a.example/x" }', /no stub answers the request GET http:\/\/a\.example\/x/);
  fails("for a Redis that no stub answers", 'c:send { cmd = "redis", name = "cache", args = { "GET", "k" } }', /no stub answers GET k of the Redis named 'cache'/);
  fails("when a hook runs away", 'c:send { cmd = "loop" }', /over its CPU budget of 1000 ms/);
  fails("when workers never come to rest", 'c:send { cmd = "again" }', /do not come to rest|used up its CPU time/);
  fails("for a script that does not load", 't.server "nothing.lua"', /the script does not load: nothing\.lua/);
  fails("for a reload that is refused", 's:reload "return 1\\n"', /the reload was refused: .*must return tw\.app/);
  fails("for a reload that should be refused", "s:refuse_reload()", /was not refused: generation 2/);
  fails("for an option that there is not", 's:connect { pth = "/" }', /case_test\.lua:3: s:connect: unknown option 'pth'/);
  fails("for a limit that there is not", 't.server("main.lua", { limits = { max_haed = 1 } })', /'max_haed' \(did you mean 'max_head'\?\)/);
  fails("for a worker that there is not", "s:kill_worker(2)", /there is no worker 2, only 0 to 1/);
  fails("for a function that is not on its own", 'local x = 1 t.server(function() return x end)', /uses 'x' from outside/);
  fails("when waiting is tried", 'require("tidewire").sleep(1)', /tw\.sleep cannot wait/);
  fails("when it asserts", "assert(false, 'so')", /so/);
  fails("when values differ", "t.equal({ a = 1 }, { a = 1, b = 2 })", /b: expected 2, got nil/);
  fails("when there is more than is expected", "t.equal({ a = 1, b = 2 }, { a = 1 })", /b: expected nil, got 2/);
  fails("when nothing is raised", "t.raises(function() end)", /nothing was raised/);
});

test("a case that runs away ends, and the next is not disturbed", async () => {
  const { code, stdout } = await runTests(`${one("while true do end")}
local t = require "tidewire.test"
t.it("next", function() local s = t.server "main.lua" local c = s:connect() c:send { cmd = "echo" } c:expect { cmd = "echo" } end)
`);
  assert.equal(code, 1);
  assert.match(stdout, /the case ran away: it used up its CPU time/);
  assert.match(stdout, /\n {2}ok next\n1 passed, 1 failed/);
});

describe("a case passes", () => {
  passes("with an error that was announced", 's:expect_error "boom!" c:send { cmd = "boom" } c:expect_close(1011, "internal error")');
  passes("with what it expects of a refusal", 'local n, why = s:connect "/closed" t.equal(n, nil) t.contains(why, { status = 401, reason = "no" })');
  passes("with a user who is not asked for anything", 'local u = assert(s:connect { path = "/closed", user = "ada" }) t.equal(u:is_open(), true)');
  passes("with a user that cannot be one refused", 'local n, why = s:connect { user = ("x"):rep(256) } t.equal(n, nil) t.equal(why.status, 400)');
  passes("with requests that take time", 'local at = s:now() local r = s:request { path = "/sleep", body = { seconds = 5 }, ip = "10.1.2.3" } t.equal(r.status, 201) t.contains(r:json(), { ip = "10.1.2.3" }) t.equal(math.floor(s:now() - at + 0.5), 5)');
  passes("with a clock that only it moves", 'c:send { cmd = "now" } local a = c:receive() c:send { cmd = "now" } t.equal(c:receive(), a) s:advance(1.5) c:send { cmd = "now" } local b = c:receive() t.equal(b.now - a.now, 1.5) t.equal(b.clock - a.clock, 1.5)');
  passes("with a time that it chooses", 's = t.server("main.lua", { now = 1e9, workers = 1 }) c = s:connect() c:send { cmd = "now" } c:expect { now = 1e9, worker = 0 }');
  passes("with stubs of HTTP", `local one = s:stub_http { url = "http://a.example/*", status = 404, delay = 1, times = 1 }
c:send { cmd = "http", url = "http://a.example/x" } c:expect_none() s:advance(1) c:expect { status = 404 }
s:stub_http { url = "http://b.example/", error = "timeout" } c:send { cmd = "http", url = "http://b.example/" } c:expect { error = "timeout" }
s:stub_http { reply = function(req) t.equal(req.headers["user-agent"], "tidewire") return 302, nil, { location = "/y" } end }
c:send { cmd = "http", url = "http://a.example/x" } c:expect { status = 302 } t.equal(#one.calls, 1)`);
  passes("with a request that comes too late", 's:stub_http { delay = 11 } c:send { cmd = "http", url = "http://a.example/" } s:advance(10) c:expect { error = "timeout" } s:advance(5) c:expect_none()');
  passes("with stubs of Redis", `local function call(...) c:send { cmd = "redis", name = "main", args = { ... } } end
s:stub_redis() call("SET", "k", "1", "EX", "10") c:expect { value = "OK" } call("INCR", "k") c:expect { value = 2 } s:advance(10) call("GET", "k") t.equal(c:receive(), {})
call("HSET", "h", "f", "v") c:expect { value = 1 } call("HGETALL", "h") c:expect { value = { "f", "v" } } call("LPUSH", "h", "x") c:expect { error = "invalid", message = t.match "WRONGTYPE" }
local asked = s:stub_redis({ get = function(key) return key .. "!" end }, { delay = 0.1 }) call("GET", "a") c:expect_none() s:advance(0.1) c:expect { value = "a!" } t.equal(asked.calls, { { "GET", "a" } })
s:stub_redis(nil, { error = "unavailable" }) call("GET", "a") c:expect { error = "unavailable" } s:stub_redis() call("PING") c:expect { value = "PONG" }`);
  passes("with a worker that dies and comes back", `local d = s:connect { worker = 1 } s:kill_worker(1, 5) d:expect_close(1006) s:advance(1) local n, why = s:connect { worker = 1 } t.equal(n, nil) t.contains(why.reason, "not running")
s:advance(5) d = s:connect { worker = 1 } c:send { cmd = "publish", x = 1 } d:expect { x = 1 } c:expect { x = 1 }`);
  passes("with all workers dead, one after the other", "for i = 0, 1 do s:kill_worker(i) end c:expect_close(1006) c = s:connect() c:send { cmd = 'publish', x = 1 } c:expect { x = 1 }");
  passes("with a slow client", `s = t.server("main.lua", { limits = { publication_budget = 4096 } }) c = s:connect() local d = s:connect() c:pause() for i = 1, 100 do s:publish("kept", { i = i, pad = ("x"):rep(1000) }) end
t.equal(d:skip(), 100) c:resume() assert(c:skip() < 100) c:expect_close(1013)`);
  passes("with a client that answers pings, and one that does not", 's:advance(600) t.equal(c:is_open(), true) c:pause() s:advance(120) c:resume() c:skip() c:expect_close()');
  passes("with a reload to another script", 'c:send { cmd = "now" } c:expect { generation = 1 } t.equal(s:reload "local tw = require \'tidewire\'\\nreturn tw.routes { [\'/\'] = tw.app { on_message = function(conn) conn:send \'new\' end } }\\n", 2) c:send "x" c:expect "new" assert(s:refuse_reload "mistake = 1\\n":find "mistake") c:send "x" c:expect "new"');
  passes("with an app of its own, as text and as a function", 's = t.server(function() local tw = require "tidewire" return tw.app { on_message = function(conn, msg) conn:send(msg) end } end) c = s:connect() c:send "x" c:expect "x"');
  passes("with logs", 'c:send { cmd = "log" } c:close(4000) t.contains(s:logs(), { { level = "info", message = "said so", fields = { a = "1" } }, { message = "closed", fields = { code = "4000" } } })');
  passes("with stats", 's:connect { worker = 1 } t.contains(s:stats(), { connections = 2, workers = { { connections = 1 }, { connections = 1 } } })');
  passes("with matchers", 't.contains({ a = "x1", b = 1, c = { 1 } }, { a = t.match "%d$", b = t.any, c = {}, d = nil }) t.contains({ a = 5 }, { a = function(v) return v > 4 end }) t.raises(function() error "abc" end, "b")');
  passes("with two servers that know nothing of each other", 'local o = t.server "main.lua" local d = o:connect() c:send { cmd = "publish", x = 1 } c:expect { x = 1 } d:expect_none() o:advance(100) c:expect_none()');
});

describe("the command", () => {
  const MANY = `local t = require "tidewire.test"
t.describe("outer", function()
    t.before_each(function() order = nil end)
    t.it("one", function() end)
    t.describe("inner # x", function() t.it("two", function() error("here\\nand there") end) t.skip("three", function() end) end)
end)
`.replace("order = nil", "");

  test("speaks TAP, over all files", async () => {
    scripts.write("b_test.lua", MANY);
    const { code, stdout } = await runTests(MANY, ["--tap", "b_test.lua"]);
    assert.equal(code, 1);
    const lines = stdout.split("\n");
    assert.equal(lines[0], "TAP version 14");
    const points = lines.filter((line) => /^(not )?ok /.test(line));
    assert.deepEqual(points.map((line) => /^(?:not )?ok (\d+)/.exec(line)[1]), ["1", "2", "3", "4", "5", "6"]);
    assert.equal(points[1], "not ok 2 - outer > inner \\# x > two");
    assert.equal(points[2], "ok 3 - outer > inner \\# x > three # SKIP");
    assert.equal(lines.at(-2), "1..6");
    const block = stdout.slice(stdout.indexOf("  ---\n"), stdout.indexOf("  ...\n"));
    assert.ok(block.split("\n").every((line) => line === "" || line.startsWith("  ")), block);
    assert.match(block, /message: \|\n {4}.*here\n {4}and there/);
  });

  test("prints files in their order, however many run at once", async () => {
    scripts.write("b_test.lua", MANY.replace("outer", "second"));
    scripts.write("c_test.lua", MANY.replace("outer", "third"));
    const outputs = [];
    for (const jobs of [["--jobs", "1"], ["--jobs=2"], ["--jobs", "64"], []]) {
      const { code, stdout } = await runTests(MANY, [...jobs, "b_test.lua", "c_test.lua"]);
      assert.equal(code, 1);
      outputs.push(stdout.replace(/in [\d.]+ s/, "in time"));
    }
    assert.match(outputs[0], /second > one[^]*third > one[^]*outer > one[^]*3 passed, 3 failed, 3 skipped in time/);
    assert.deepEqual(new Set(outputs).size, 1, outputs.join("\n"));
    const { code, stderr } = await runTests(MANY, ["--jobs", "none"]);
    assert.equal(code, 2);
    assert.match(stderr, /--jobs needs a number from 1 to 64/);
  });

  test("runs what --filter names, and says when that is nothing", async () => {
    const some = await runTests(MANY, ["--filter", "outer > one"]);
    assert.equal(some.code, 0);
    assert.match(some.stdout, /1 passed, 0 failed in/);
    const none = await runTests(MANY, ["--filter=nowhere"]);
    assert.equal(none.code, 1);
    assert.match(none.stderr, /nothing to run/);
    const wrong = await runTests(MANY, ["--filter", "("]);
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /--filter is no Lua pattern/);
  });

  test("with --quiet tells only what failed", async () => {
    const { stdout } = await runTests(MANY, ["--quiet"]);
    assert.doesNotMatch(stdout, / ok /);
    assert.match(stdout, /FAILED outer > inner # x > two/);
  });

  test("runs before_each and after_each of all groups around a case, also of one that fails", async () => {
    const { stdout } = await runTests(`local t = require "tidewire.test"
local log = {}
t.before_each(function() log[#log + 1] = "B" end)
t.after_each(function() log[#log + 1] = "A" end)
t.describe("in", function()
    t.before_each(function() log[#log + 1] = "b" end)
    t.after_each(function() log[#log + 1] = "a" end)
    t.it("fails", function() log[#log + 1] = "1" error "x" end)
    t.it("passes", function() log[#log + 1] = "2" end)
end)
t.it("tells", function() print(table.concat(log)) end)
`);
    assert.match(stdout, /# Bb1aABb2aAB\n/);
  });

  test("tells of a file that does not load, and runs the others", async () => {
    scripts.write("broken_test.lua", "local x = = 1\n").write("plain_test.lua", "return 1\n");
    const { code, stdout, stderr } = await runTests(one(""), ["broken_test.lua", "plain_test.lua", "absent_test.lua"]);
    assert.equal(code, 1);
    assert.match(stderr, /^broken_test\.lua:1: /m);
    assert.match(stderr, /^plain_test\.lua: .*does not require "tidewire\.test"/m);
    assert.match(stderr, /^absent_test\.lua: /m);
    assert.match(stdout, /1 passed, 0 failed, 3 files not loaded in/);
  });

  test("explains itself, and wants files", async () => {
    const help = await run(["test", "--help"]);
    assert.equal(help.code, 0);
    assert.match(help.stdout, /Usage: tidewire test \[options\] FILE\.\.\./);
    assert.match(help.stdout, /--filter PATTERN/);
    assert.equal((await run(["test"])).code, 2);
    assert.equal((await run(["test", "--what", "x.lua"])).code, 2);
    assert.equal((await run(["test", "--filter"])).code, 2);
  });

  test("keeps the sandbox in tests", async () => {
    const { code, stdout, stderr } = await runTests('local t = require "tidewire.test"\nt.it("x", function() count = 1 end)\nt.it("y", function() io.open("x") end)\n');
    assert.equal(code, 1, stderr);
    assert.match(stdout, /assignment to global 'count'/);
    assert.match(stdout, /0 passed, 2 failed/);
  });
});
