/* What `tidewire check` finds in a script, with file and line, before anything
 * runs; each case is a script of which line 2 or later is at fault.
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Scripts, run } from "./harness.mjs";

let scripts;
before(() => {
  scripts = new Scripts({ "www/index.html": "hello\n", "lib/good.lua": "return 1\n", "lib/bad.lua": "\n\nx = = 1\n", "lib/raises.lua": '\nerror "from the module"\n' });
});
after(() => scripts.remove());

let count = 0;
async function check(body) {
  const name = `case${++count}.lua`;
  scripts.write(name, `local tw = require "tidewire"\n${body}\n`);
  return { name, ...(await run(["check", scripts.path(name)])) };
}

function finds(what, body, pattern, place = /:2: /) {
  test(what, async () => {
    const { name, code, stderr } = await check(body);
    assert.equal(code, 1, stderr);
    assert.match(stderr, pattern);
    place && assert.match(stderr, new RegExp(name.replace(".", "\\.") + place.source));
  });
}

function accepts(what, body) {
  test(what, async () => {
    const { code, stdout, stderr } = await check(body);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /ok/);
  });
}

describe("accepted", () => {
  accepts("an app of nothing", "return tw.app {}");
  accepts(
    "an app of everything",
    `local function f() end
return tw.app {
    wire = "raw", ping = 10, idle = 30, max_message = 1000, origins = { "https://a.example" }, errors = "ignore",
    rate = { messages = 5, bytes = 1000, burst = 10, over = "wait" }, deflate = false, drain = { spread = 1, code = 1001 }, version = 3,
    on_upgrade = f, on_open = f, on_message = f, on_close = f, on_slow = f, on_alarm = f, on_start = f, on_stop = f,
    save = f, restore = f, migrate = f,
}`,
  );
  accepts("routes of all kinds", 'return tw.routes { ["/ws"] = tw.app {}, ["/doc/:id"] = tw.app {}, ["/*"] = tw.static "www", ["POST /x"] = function() return 204 end, ["/any"] = function() return 204 end }');
  accepts("one path for a socket and for requests", 'return tw.routes { ["/x"] = tw.app {}, ["GET /x"] = function() return 200 end }');
  accepts("classes", 'tw.channels { ["room:*"] = { slow = "drop_old" }, ["room:vip:*"] = { slow = "close", batch = 0.1 }, metrics = {} } return tw.app {}');
  accepts("timers and modules", 'local x = require "lib.good" tw.every(1, function() end, { name = "n", once = "server" }) tw.after(x, function() end) return tw.app {}');
  accepts("reading the configuration", 'local x = tw.config.get("none", 5) assert(x == 5) return tw.app {}');
});

describe("language", () => {
  finds("a syntax error", "local x = = 3", /unexpected symbol/);
  finds("a syntax error at the end", "if true then", /'end' expected/, /:\d+: /);
  finds("an accidental global", "foo = 3 return tw.app {}", /'foo'/);
  finds("an undefined global", "print(foo) return tw.app {}", /'foo'/);
  finds("an error", 'error "on purpose"', /on purpose/);
  finds("a loop without end", "while true do end", /budget/);
  finds("a table without end", "local t = {} while true do t[#t + 1] = ('x'):rep(1e5) .. #t end", /memory|budget/, null);
  finds("a module that is not there", 'require "lib.none"', /lib\.none|lib\/none/, null);
  finds("a module with a syntax error, by its own name and line", 'require "lib.bad"', /lib\/bad\.lua:3: /, null);
  finds("a module that raises, by its own name and line", 'require "lib.raises"', /lib\/raises\.lua:2: from the module/, null);
  finds("a module outside of the folder", 'require "...etc.passwd"', /etc/, null);
});

describe("what the script returns", () => {
  finds("nothing", "", /must return tw\.app/, null);
  finds("a table", "return {}", /must return tw\.app.*not a table/, null);
  finds("a function", "return function() end", /must return tw\.app.*not a function/, null);
});

describe("tw.app", () => {
  finds("an unknown hook names the nearest", "return tw.app { on_mesage = print }", /unknown hook 'on_mesage' \(did you mean 'on_message'\?\)/);
  finds("an unknown option names the nearest", "return tw.app { orgins = {} }", /unknown option 'orgins' \(did you mean 'origins'\?\)/);
  finds("a hook that is no function", "return tw.app { on_open = 5 }", /on_open must be a function/);
  for (const hook of ["on_subscribe", "on_publish", "on_rpc", "on_refresh", "on_presence", "on_history"]) {
    finds(`the hook ${hook} of a later version`, `return tw.app { ${hook} = print }`, new RegExp(`hook '${hook}' is not available in this version`));
  }
  finds("the wire of a later version", 'return tw.app { wire = "centrifuge" }', /wire 'centrifuge' is not available/);
  finds("an unknown wire", 'return tw.app { wire = "morse" }', /unknown wire 'morse'/);
  finds("an unknown way to deflate", "return tw.app { deflate = true }", /deflate must be 'shared' or 'off'/);
  finds("a ping that is no number", 'return tw.app { ping = "soon" }', /ping must be a number/);
  finds("an idle time out of range", "return tw.app { idle = 0 }", /idle must be/);
  finds("a message limit out of range", "return tw.app { max_message = 0 }", /max_message must be/);
  finds("an error policy that is none", 'return tw.app { errors = "hide" }', /errors must be 'close' or 'ignore'/);
  finds("a rate of nothing", "return tw.app { rate = {} }", /needs messages or bytes/);
  finds("a rate with an unknown option", "return tw.app { rate = { message = 5 } }", /'message' \(did you mean 'messages'\?\)/);
  finds("a rate with an unknown end", 'return tw.app { rate = { messages = 5, over = "explode" } }', /rate: over must be/);
  finds("origins that are no list", 'return tw.app { origins = "https://a.example" }', /origins must be a list/);
  finds("an origin that is no pattern", 'return tw.app { origins = { "https://a.example/path" } }', /origin/, null);
  finds("a drain code out of range", "return tw.app { drain = { code = 99 } }", /code must be/);
  finds("a number of connections that is none", "return tw.app { user_connections = 5 }", /user_connections: options must be a table/);
  finds("connections over what", 'return tw.app { user_connections = { max = 5, over = "all" } }', /over must be 'oldest' or 'newest'/);
  finds("a version that is a table", "return tw.app { version = {} }", /version must be/);
});

describe("tw.routes", () => {
  finds("no routes", "return tw.routes {}", /from 1 to/);
  finds("a path without a slash", 'return tw.routes { ["ws"] = tw.app {} }', /bad pattern 'ws'/);
  finds("a star in the middle", 'return tw.routes { ["/*/x"] = tw.app {} }', /bad pattern/);
  finds("a parameter without a name", 'return tw.routes { ["/:"] = tw.app {} }', /bad pattern/);
  finds("a bad method", 'return tw.routes { ["G@T /x"] = function() end }', /bad method/);
  finds("an app with a method", 'return tw.routes { ["GET /x"] = tw.app {} }', /only functions go with a method/);
  finds("a folder without a star", 'return tw.routes { ["/x"] = tw.static "www" }', /ends in '\*'/);
  finds("a target that is none", 'return tw.routes { ["/x"] = 5 }', /must lead to an app, tw\.static or a function/);
  finds("one path twice", 'return tw.routes { ["/a/:x"] = tw.app {}, ["/a/:y"] = tw.app {} }', /are the same path/);
  finds("a folder that is not there", 'return tw.routes { ["/*"] = tw.static "nowhere" }', /nowhere|\/\*/, null);
});

describe("tw.channels", () => {
  finds("one pattern twice", "tw.channels { a = {} } tw.channels { a = {} }", /'a'/);
  finds("a star in the middle", 'tw.channels { ["a*b"] = {} }', /a\*b/);
  finds("an unknown option names the nearest", 'tw.channels { a = { slwo = "close" } }', /'slwo' \(did you mean 'slow'\?\)/);
  finds("an unknown policy", 'tw.channels { a = { slow = "explode" } }', /slow/);
  finds("an unknown kind of presence", 'tw.channels { a = { presence = "lits" } }', /unknown presence 'lits' \(did you mean 'list'\?\)/);
  finds("a history that is no number", 'tw.channels { a = { history = "long" } }', /history must be a number/);
  finds("a history out of range", "tw.channels { a = { history = 100001 } }", /history must be a number from 0 to 100000/);
  finds("half a key to retain", "tw.channels { a = { retain = 0.5 } }", /retain must be a whole number/);
  finds("a time to live of nothing", "tw.channels { a = { ttl = 5 } }", /history or retain/);
  finds("a function to tell nobody with", "tw.channels { a = { tell = print } }", /tell needs presence = "events"/);
  finds("a batch out of range", "tw.channels { a = { batch = -1 } }", /batch/);
});

describe("while loading", () => {
  for (const [call, name] of [
    ["tw.sleep(0)", "tw.sleep"],
    ["tw.all(function() end)", "tw.all"],
    ["tw.stats()", "tw.stats"],
    ["tw.channel('x'):count()", "count"],
    ["tw.channel('x'):history()", "history"],
    ["tw.user('x'):send('y')", "user:send"],
    ["tw.user('x'):connections()", "user:connections"],
    ["tw.conn('x'):close()", "remote:close"],
    ["tw.publish('x', 'y')", "tw.publish"],
    ["tw.spawn(function() end)", "tw.spawn"],
  ]) {
    finds(`${call} raises and names the call`, call, new RegExp(name.replace(".", "\\.")));
  }
});
