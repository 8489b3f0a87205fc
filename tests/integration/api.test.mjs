/* What scripts may call, one sentence of the contract after another. Each case
 * is a chunk of Lua run in on_message of lab.lua.
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { Client, dropAll, LAB } from "./client.mjs";
import { Server, until } from "./harness.mjs";

let server;
before(async () => {
  const settings = {
    node: "node-7",
    files: ["lab.lua", "/proc/", "missing.txt"],
    config: { greeting: "hello", limit: 7, list: [1, 2], deep: { a: { b: true } }, off: false },
  };
  server = await Server.start(LAB, { settings });
});
after(() => server?.stop());
afterEach(dropAll);

/* The chunk's results. */
function gives(name, code, ...expected) {
  test(name, async () => {
    const client = await Client.open(server);
    assert.deepEqual(await client.evaluate(code), expected);
  });
}

/* The chunk raises this. */
function raises(name, code, pattern) {
  test(name, async () => {
    const client = await Client.open(server);
    await assert.rejects(client.evaluate(code), (error) => pattern.test(error.message) || assert.match(error.message, pattern));
  });
}

/* What the chunk sends, as the client gets it. */
function sends(name, code, ...expected) {
  test(name, async () => {
    const client = await Client.open(server);
    client.execute(code);
    await client.expect(...expected);
    await client.expectNone();
  });
}

describe("the language", () => {
  raises("an accidental global is an error with its place", "\naccidental = 1", /chunk:3: .*'?accidental'?/);
  raises("reading an undefined global is an error", "return undefined_thing", /undefined_thing/);
  gives("what is not there is nil", "return type(rawget(_G, 'ffi')), type(rawget(_G, 'jit')), type(rawget(_G, 'newproxy'))", "nil", "nil", "nil");
  for (const name of ["ffi", "jit", "debug"]) {
    raises(`'${name}' cannot be required`, `require "${name}"`, new RegExp(name));
  }
  gives("os.exit, string.dump and package.loadlib are not there", "return type(os.exit), type(string.dump), type(package.loadlib)", "nil", "nil", "nil");
  gives("package.cpath is empty", "return package.cpath", "");
  raises("bytecode is not loaded", String.raw`return assert(loadstring("\27LJ\2"))`, /text|binary|bytecode|attempt/);
  raises("the collector cannot be stopped", "collectgarbage 'stop'", /stop/);
  raises("the metatable of strings is protected", "getmetatable('').__index = {}", /./);
  raises("tw is read-only", "tw.mine = 1", /read-only/);
  gives("require 'cjson' gives the packaged one", "return require('cjson').encode { a = 1 }", '{"a":1}');
  gives("xpcall calls its handler", "return xpcall(function() error('x', 0) end, function(e) return 'handled ' .. e end)", false, "handled x");
  gives("pcall works over a wait", "return pcall(function() tw.sleep(0.01) error('x', 0) end)", false, "x");
});

describe("reserved names", () => {
  for (const name of ["pb", "rooms", "room"]) {
    raises(`tw.${name} is not available`, `return tw.${name}`, new RegExp(`'?${name}'? is not available in this version`));
  }
  for (const [code, name] of [
    ["conn:join 'x'", "join"],
    ["conn:leave 'x'", "leave"],
    ["tw.publish('x', 'y', { priority = 1 })", "priority"],
    ["tw.publish('x', 'y', { after = 1 })", "after"],
    ["tw.every(1, print, { name = 'x', once = 'cluster' })", "cluster"],
  ]) {
    raises(`${code} is not available`, code, new RegExp(`${name}.* (is|are) not available`));
  }
});

describe("the library of tests", () => {
  raises("is for tests", "require 'tidewire.test'", /tidewire\.test is for files that `tidewire test` runs/);
});

describe("misspelt names", () => {
  raises("of tw", "tw.publsh('x', 'y')", /unknown name 'publsh' \(did you mean 'publish'\?\)/);
  raises("of a connection", "conn:subscibe 'x'", /'subscibe' \(did you mean 'subscribe'\?\)/);
  raises("of a message", "return msg.dta", /'dta' \(did you mean 'data'\?\)/);
  raises("of an option of publish", "tw.publish('x', 'y', { binry = true })", /'binry' \(did you mean 'binary'\?\)/);
  raises("of an option of send", "conn:send('x', { bin = true })", /'bin' \(did you mean 'binary'\?\)/);
  raises("of an option of every", "tw.every(1, print, { nme = 'x' })", /'nme' \(did you mean 'name'\?\)/);
  raises("of nothing near", "return tw.xylophone", /unknown name 'xylophone'$/);
});

describe("errors", () => {
  gives("tw.error makes one", "local e = tw.error('denied', 'not you', { who = 'me' }) return e.code, e.message, e.who, tostring(e)", "denied", "not you", "me", "denied: not you");
  gives("tw.error needs no message", "return tw.error('limit').code", "limit");
  raises("tw.error needs a code", "tw.error()", /bad argument/);
  raises("bad arguments raise", "conn:send()", /conn:send: data must be/);
  raises("a channel needs a name", "tw.publish('', 'x')", /1 to 255 bytes/);
  raises("a channel's name has an end", "tw.publish(('x'):rep(256), 'x')", /1 to 255 bytes/);
  gives("a channel's name may have 255 bytes", "return tw.publish(('x'):rep(255), 'x')", true);
  raises("a method wants its object", "conn.send('x')", /./);
});

describe("what is sent", () => {
  sends("a string is text", "conn:send 'text'", "text");
  sends("an empty string is an empty text", "conn:send ''", "");
  sends("UTF-8 is text", "conn:send 'Grüße 🌊'", "Grüße 🌊");
  sends("bytes with binary are bytes", String.raw`conn:send("\255\0\1", { binary = true })`, Buffer.from([255, 0, 1]));
  sends("a table is JSON", "conn:send { a = { 1, 2, { b = 'c' } } }", '{"a":[1,2,{"b":"c"}]}');
  sends("numbers and booleans are JSON", "conn:send(1) conn:send(1.5) conn:send(true) conn:send(-0.25)", "1", "1.5", "true", "-0.25");
  sends("tw.json.raw is sent as it is", 'conn:send(tw.json.raw \'{"a":   1}\')', '{"a":   1}');
  sends("tw.json.null is null", "conn:send(tw.json.null)", "null");
  raises("what is no UTF-8 raises", String.raw`conn:send "\255"`, /not valid UTF-8/);
  raises("nil raises", "conn:send(nil)", /data must be/);
  raises("a function raises", "conn:send(print)", /data must be/);
  raises("a table with a function raises and names the place", "conn:send { a = { b = print } }", /a\.b/);
  raises("NaN raises", "conn:send(0/0)", /./);
  gives("send answers true", "return conn:send 'x'", true);
  test("a message keeps its kind", async () => {
    const client = await Client.open(server);
    await client.send("text").expect("text");
    await client.send(Buffer.from([1, 2])).expect(Buffer.from([1, 2]));
  });
  sends("sends keep their order", "for i = 1, 5 do conn:send('' .. i) end", "1", "2", "3", "4", "5");
  gives("the queue is counted in bytes", "return conn:queued()", 0);
});

describe("a message", () => {
  test("has data, binary and a length", async () => {
    const client = await Client.open(server);
    const code = "!conn:send { msg.data:sub(1, 5), msg.binary, #msg }";
    await client.send(code).expect(`["!conn",false,${code.length}]`);
    await client.send(Buffer.from(code)).expect(`["!conn",true,${code.length}]`);
  });
  test("is gone when its hook has returned, unless kept", async () => {
    const client = await Client.open(server);
    client.execute("lab.msg, lab.kept = msg, msg:keep()");
    await assert.rejects(client.evaluate("return lab.msg.data"), /valid until its hook returned/);
    await assert.rejects(client.evaluate("conn:send(lab.msg)"), /valid until its hook returned/);
    assert.equal(await client.value("return lab.kept.data"), "!lab.msg, lab.kept = msg, msg:keep()");
  });
  test("lives through waits", async () => {
    const client = await Client.open(server);
    client.execute("tw.sleep(0.02) conn:send(msg)");
    await client.expect("!tw.sleep(0.02) conn:send(msg)");
  });
  gives("msg:json() of what is no JSON is an error", "local v, e = msg:json() return v, e.code", null, "invalid");
});

describe("a connection", () => {
  gives("has an id of 128 bits", "return #conn.id, conn.id:match '^[%w_-]+$' == conn.id", 22, true);
  gives("has an address", "return conn.ip", "127.0.0.1");
  gives("is one handle", "return conn == conn, conn ~= nil", true, true);
  test("is the same handle in all hooks, and ids differ", async () => {
    const [one, two] = [await Client.open(server), await Client.open(server)];
    await one.evaluate("lab.one = conn");
    assert.deepEqual(await one.evaluate("return lab.one == conn"), [true]);
    assert.deepEqual(await two.evaluate("return lab.one == conn, lab.one.id == conn.id"), [false, false]);
  });
  test("that has closed answers 'closed', and keeps its id", async () => {
    const [one, two] = [await Client.open(server), await Client.open(server)];
    const id = await one.value("lab.one = conn return conn.id");
    await one.close();
    await until("it is closed", async () => (await two.evaluate("return lab.one:send 'x'"))[1]?.code === "closed");
    for (const call of ["send 'x'", "close()", "subscribe 'x'", "unsubscribe 'x'", "channels()", "queued()", "login 'x'", "alarm(1)"]) {
      const [value, error] = await two.evaluate(`return lab.one:${call}`);
      assert.deepEqual([value, error?.code], [null, "closed"], call);
    }
    assert.deepEqual(await two.evaluate("return lab.one.id, lab.one:subscribed 'x'"), [id, false]);
  });
  raises("has no fields of your own", "conn.mine = 1", /conn\.state/);
  gives("login sets the user once", "local a = conn:login('ann', { n = 1 }) local b, err = conn:login('bob') return a, b, err.code, conn.user, conn.info", true, null, "exists", "ann", { n: 1 });
  test("has a state for its own hooks", async () => {
    const [one, two] = [await Client.open(server), await Client.open(server)];
    await one.evaluate("conn.state.n = 1");
    assert.deepEqual(await one.evaluate("conn.state.n = conn.state.n + 1 return conn.state.n"), [2]);
    assert.deepEqual(await two.evaluate("return conn.state.n"), [null]);
  });
});

describe("subscriptions", () => {
  gives("subscribe answers when it is done", "local s = conn:subscribe 'c1' return s.recovered, s.count, conn:subscribed 'c1'", false, 0, true);
  gives("twice is an error", "conn:subscribe 'c' local ok, err = conn:subscribe 'c' return ok, err.code", null, "exists");
  gives("channels are listed", "conn:subscribe 'a' conn:subscribe 'b' local l = conn:channels() table.sort(l) return l", ["a", "b"]);
  gives("none is an empty list", "return conn:channels()", []);
  gives("unsubscribe ends it", "conn:subscribe 'c' return conn:unsubscribe 'c', conn:subscribed 'c', conn:channels()", true, false, []);
  gives("unsubscribe of what was not is an error", "local ok, err = conn:unsubscribe 'never' return ok, err.code", null, "not_found");
  gives("subscribe again works", "conn:subscribe 'c' conn:unsubscribe 'c' conn:subscribe 'c' return conn:subscribed 'c'", true);
  gives("there is a limit", "for i = 1, 2000 do local ok, err = conn:subscribe('many' .. i) if not ok then return err.code, i end end", "limit", 1001);
  raises("a name is needed", "conn:subscribe ''", /1 to 255 bytes/);
  test("what a hook sends before its subscribe leaves before what is published", async () => {
    const client = await Client.open(server);
    client.execute("conn:send 'before' conn:subscribe 'order1' tw.publish('order1', 'published') conn:send 'after'");
    const messages = await client.take(3);
    assert.equal(messages[0], "before");
    assert.deepEqual(messages.slice(1).sort(), ["after", "published"]);
  });
  test("nothing that is published after the confirmation is missed", async () => {
    const client = await Client.open(server);
    for (let i = 0; i < 50; i++) {
      client.execute(`assert(conn:subscribe 'fresh${i}') tw.publish('fresh${i}', '${i}')`);
    }
    await client.expect(...Array.from({ length: 50 }, (_, i) => `${i}`));
  });
  test("nothing of a channel arrives after unsubscribe", async () => {
    const client = await Client.open(server);
    client.execute("assert(conn:subscribe 'u') tw.publish('u', 'gone') conn:unsubscribe 'u' conn:send 'end'");
    await client.expect("end");
    await client.expectNone();
  });
});

describe("publishing", () => {
  test("reaches all subscribers, the publisher too", async () => {
    const clients = await Promise.all([1, 2, 3].map(() => Client.open(server)));
    await Promise.all(clients.map((client) => client.value("return conn:subscribe 'all'")));
    assert.equal(await clients[0].value("return tw.publish('all', 'x')"), true);
    await Promise.all(clients.map((client) => client.expect("x")));
  });
  test("keeps the kind, and encodes tables once", async () => {
    const client = await Client.open(server);
    await client.value("return conn:subscribe 'kinds'");
    client.execute(String.raw`tw.publish('kinds', 'text') tw.publish('kinds', "\255", { binary = true }) tw.publish('kinds', { a = 1 }) tw.publish('kinds', msg)`);
    await client.expect("text", Buffer.from([255]), '{"a":1}');
    assert.match(await client.next(), /^!tw\.publish/);
  });
  test("leaves out `except`", async () => {
    const [one, two] = [await Client.open(server), await Client.open(server)];
    await Promise.all([one, two].map((client) => client.value("return conn:subscribe 'ex'")));
    await one.value("tw.publish('ex', 'a', { except = conn }) return tw.publish('ex', 'b')");
    await two.expect("a", "b");
    await one.expect("b");
    await one.expectNone();
  });
  test("takes a closed connection as `except`", async () => {
    const [one, two] = [await Client.open(server), await Client.open(server)];
    await one.evaluate("lab.gone = conn");
    await two.value("return conn:subscribe 'ex2'");
    await one.close();
    await two.value("return tw.publish('ex2', 'x', { except = lab.gone })");
    await two.expect("x");
  });
  test("never delivers inside the publishing call", async () => {
    const client = await Client.open(server);
    await client.value("return conn:subscribe 'inside'");
    client.execute("tw.publish('inside', 'published') conn:send 'direct' lab.queued = conn:queued()");
    assert.deepEqual((await client.take(2)).sort(), ["direct", "published"]);
  });
  raises("text must be UTF-8", String.raw`tw.publish('x', "\255")`, /not valid UTF-8/);
  raises("`except` must be a connection", "tw.publish('x', 'y', { except = 5 })", /must be a connection/);
  raises("a key has an end", "tw.publish('x', 'y', { key = ('k'):rep(256) })", /255 bytes/);
  gives("to nobody is accepted", "return tw.publish('nobody:here', 'x')", true);
  gives("subscribers are counted", "conn:subscribe 'counted' return tw.channel('counted'):count(), tw.channel('none'):count(), tw.channel('counted').name", 1, 0, "counted");
  test("in a batch is written together, in order", async () => {
    const client = await Client.open(server);
    await client.value("return conn:subscribe 'batch:x'");
    const since = Date.now();
    await client.evaluate("for i = 1, 5 do tw.publish('batch:x', '' .. i) end");
    await client.expect("1", "2", "3", "4", "5");
    assert.ok(Date.now() - since >= 150, "gathered for 0.2 s");
  });
});

describe("time", () => {
  test("tw.after runs once, and not when cancelled", async () => {
    const client = await Client.open(server);
    await client.evaluate("tw.after(0.02, function() conn:send 'once' end) tw.after(0.02, function() conn:send 'never' end):cancel()");
    await client.expect("once");
    await client.evaluate("tw.sleep(0.05)");
    await client.expectNone();
  });
  test("tw.every runs again and again until cancelled", async () => {
    const client = await Client.open(server);
    await client.evaluate("local n = 0 local t t = tw.every(0.02, function() n = n + 1 conn:send('' .. n) if n == 4 then t:cancel() end end)");
    await client.expect("1", "2", "3", "4");
    await client.evaluate("tw.sleep(0.06)");
    await client.expectNone();
  });
  test("a timer never overlaps itself, and skips what it missed", async () => {
    const client = await Client.open(server);
    await client.evaluate("local t, n = nil, 0 t = tw.every(0.02, function() conn:send 'in' tw.sleep(0.1) conn:send 'out' n = n + 1 if n == 3 then t:cancel() end end)");
    await client.expect("in", "out", "in", "out", "in", "out");
  });
  test("a raise in a timer is logged, and the timer goes on", async () => {
    const client = await Client.open(server);
    await client.evaluate("local t, n = nil, 0 t = tw.every(0.02, function() n = n + 1 if n == 3 then t:cancel() conn:send 'third' end error('tick ' .. n) end)");
    await client.expect("third");
    await server.logged(/level=error.*tick 1/);
    await server.logged(/level=error.*tick 2/);
  });
  raises("two timers of one name are an error", "tw.every(9, print, { name = 'twice' }) tw.every(9, print, { name = 'twice' })", /'twice' already/);
  raises("`once` needs a name", "tw.every(9, print, { once = 'server' })", /needs a name/);
  raises("`once` is 'server'", "tw.every(9, print, { once = 'galaxy', name = 'x' })", /once must be 'server'/);
  raises("seconds are a number", "tw.after('soon', print)", /seconds must be a number/);
  raises("seconds are not negative", "tw.after(-1, print)", /seconds/);
  raises("a timer needs a function", "tw.after(1)", /function/);
  gives("tw.sleep waits so long", "local t = tw.clock() tw.sleep(0.1) local d = tw.clock() - t return d >= 0.099", true);
  gives("tw.sleep(0) is a turn", "return tw.sleep(0)", true);
  test("tw.now is the wall's clock", async () => {
    const client = await Client.open(server);
    const before = Date.now();
    const now = (await client.value("return tw.now()")) * 1000;
    assert.ok(now >= before - 1000 && now <= Date.now() + 1000, `${now}`);
  });
});

describe("tasks", () => {
  gives("spawn and wait give the results", "return tw.spawn(function() tw.sleep(0.01) return 1, 'two', nil, 4 end):wait()", 1, "two", null, 4);
  gives("a task runs from the next turn on", "local s = 'a' local t = tw.spawn(function() s = s .. 'c' end) s = s .. 'b' t:wait() return s", "abc");
  gives("a task that raises raises in whoever waits", "return pcall(function() tw.spawn(function() error('inner', 0) end):wait() end)", false, "inner");
  gives("a task that was cancelled gives an error", "local t = tw.spawn(function() tw.sleep(9) end) local c = t:cancel() local v, e = t:wait() return c, v, e.code, t:cancel()", true, null, "closed", false);
  gives("two may wait for one task", "local t = tw.spawn(function() tw.sleep(0.02) return 5 end) local u = tw.spawn(function() return t:wait() end) return t:wait(), u:wait()", 5, 5);
  gives("tw.all runs all at once, results in order", "local s = '' local function begin(x) s = s .. x end local a, b, c = tw.all(function() begin 'A' tw.sleep(0.1) begin '.' return 'a' end, function() begin 'B' tw.sleep(0.05) begin '.' return 'b' end, function() begin 'C' return 'c' end) return a, b, c, s", "a", "b", "c", "ABC..");
  gives("tw.all without functions is nothing", "return tw.all()");
  gives("tw.all raises the first failure", "return pcall(tw.all, function() tw.sleep(9) end, function() error('b', 0) end)", false, "b");
  gives("tw.all cancels the others when one fails", "local late pcall(tw.all, function() error('x', 0) end, function() tw.sleep(0.05) late = true end) tw.sleep(0.1) return late", null);
  raises("tw.all takes functions", "tw.all(1)", /argument 1 must be a function/);
  raises("a task cannot wait for itself", "local t t = tw.spawn(function() t:wait() end) t:wait()", /itself/);
  test("a task that nobody waits for is logged when it raises", async () => {
    const client = await Client.open(server);
    await client.evaluate("tw.spawn(function() error 'unheard' end)");
    await server.logged(/level=error.*unheard/);
  });
});

describe("waiting", () => {
  test("has a limit for a whole hook: then calls answer 'timeout'", async (t) => {
    const short = await Server.start(LAB, { settings: { lua: { wait: 1 } } });
    t.after(() => short.stop());
    const client = await Client.open(short);
    const since = performance.now();
    const results = await client.evaluate("local ok, e = tw.sleep(600) local ok2, e2 = conn:subscribe 'late' return ok, e.code, ok2, e2.code");
    assert.deepEqual(results, [null, "timeout", null, "timeout"]);
    assert.ok(performance.now() - since > 900);
    dropAll();
  });
  raises("inside gsub raises and names the call", "return (('x'):gsub('x', function() tw.sleep(0) end))", /tw\.sleep.*gsub|gsub.*tw\.sleep|tw\.sleep/);
  raises("inside table.sort raises and names the call", "table.sort({ 3, 1, 2 }, function(a, b) tw.sleep(0) return a < b end)", /tw\.sleep/);
  gives("inside pcall, metamethods and iterators is fine", "local m = setmetatable({}, { __index = function() tw.sleep(0) return 'm' end }) local function it(_, i) tw.sleep(0) if i < 2 then return i + 1 end end local n = 0 for i in it, nil, 0 do n = n + i end return m.x, n, (pcall(tw.sleep, 0))", "m", 3, true);
  gives("inside a coroutine of the script's own works or says so", "local co = coroutine.wrap(function() return pcall(tw.sleep, 0) end) return type(co()) == 'boolean'", true);
});

describe("facts", () => {
  gives("of this server", "return tw.node.id, tw.worker, tw.generation", "node-7", 0, 1);
  gives("the configuration", "return tw.config.get 'greeting', tw.config.get 'limit', tw.config.get 'list', tw.config.get 'deep', tw.config.get 'off'", "hello", 7, [1, 2], { a: { b: true } }, false);
  gives("the configuration's defaults", "return tw.config.get('none', 5), tw.config.get 'none', tw.config.get('off', true)", 5, null, false);
  gives("a granted file", "return tw.file.read('lab.lua'):match '^[^\\n]*', #tw.file.read '/proc/self/stat' > 10", "-- An app whose clients say what its hooks do: \"?N code\" runs protected and is", true);
  gives("a file that is not granted", "local v, e = tw.file.read '/etc/passwd' return v, e.code", null, "denied");
  gives("a file beside a granted one", "local v, e = tw.file.read 'harness.mjs' return v, e.code", null, "denied");
  gives("a way out of a granted folder", "local v, e = tw.file.read '/proc/../etc/passwd' return v, e.code", null, "denied");
  gives("a granted file that is not there", "local v, e = tw.file.read 'missing.txt' return v, e.code", null, "not_found");
  test("tw.stats tells of the server and its workers", async () => {
    const client = await Client.open(server);
    const stats = await client.value("return tw.stats()");
    assert.equal(stats.workers.length, 1);
    assert.ok(stats.connections >= 1 && stats.messages_in >= 1);
    assert.ok(stats.workers[0].memory_bytes > 1e6);
    assert.equal(stats.workers[0].pid, (await server.worker(0)).pid);
  });
});

describe("the log", () => {
  test("has message, fields, connection, user and generation", async () => {
    const client = await Client.open(server);
    const id = await client.value("conn:login 'ann' tw.log.warn('a message', { n = 1, t = { a = 1 }, s = 'x y' }) return conn.id");
    const [line] = await server.logged(/.*msg="a message".*/);
    for (const part of ["level=warn", "n=1", 's="x y"', `conn=${id}`, "user=ann", "generation=1"]) {
      assert.ok(line.includes(part), `${part} in ${line}`);
    }
  });
  test("has levels, and print is info", async () => {
    const client = await Client.open(server);
    await client.evaluate("tw.log.debug 'too low' tw.log.info 'lvl-info' tw.log.error 'lvl-error' print('lvl', 'print')");
    await server.logged(/level=info.*lvl-info/);
    await server.logged(/level=error.*lvl-error/);
    await server.logged(/level=info.*lvl.*print/);
    assert.doesNotMatch(server.log, /too low/);
  });
  test("does not let a message forge a line", async () => {
    const client = await Client.open(server);
    await client.evaluate(String.raw`tw.log.info('forged\nlevel=error msg=fake "quoted" \27[31m')`);
    const [line] = await server.logged(/.*forged.*/);
    assert.match(line, /forged\\nlevel=error msg=fake \\"quoted\\"/);
    assert.doesNotMatch(line, /\x1b/);
  });
});

describe("JSON", () => {
  gives("survives a round trip", `return tw.json.encode(tw.json.decode '[[],{},{"c":[1,2.5,"x",null,true]}]')`, '[[],{},{"c":[1,2.5,"x",null,true]}]');
  gives("is exact to 2^53", "return tw.json.encode { 9007199254740991, -9007199254740992, 123456789012345 }, tw.json.decode '[9007199254740993]' and true", "[9007199254740991,-9007199254740992,123456789012345]", true);
  gives("has an array mark", "return tw.json.encode { tw.json.array {} , {} }", "[[],{}]");
  gives("has a null", "return tw.json.decode('[null]')[1] == tw.json.null, tw.json.encode { tw.json.null }", true, "[null]");
  gives("takes raw parts", "return tw.json.encode { a = tw.json.raw '[1,  2]' }", '{"a":[1,  2]}');
  for (const bad of ["[NaN]", "[0x10]", "[01]", "[1,]", "{a:1}", "['a']", "[1", "", "[1]x", "[+1]", "[.5]", '["\\ud800"]', '["\t"]', "[Infinity]", "nul"]) {
    gives(`refuses ${JSON.stringify(bad)}`, `local v, e = tw.json.decode(${JSON.stringify(bad)}) return v, e.code`, null, "invalid");
  }
  gives("refuses what is no UTF-8", String.raw`local v, e = tw.json.decode('["\255"]') return v, e.code`, null, "invalid");
  gives("has a depth", "local v, e = tw.json.decode(('['):rep(1000) .. (']'):rep(1000)) return v, e.code", null, "limit");
  raises("refuses a mixed table", "tw.json.encode { 1, 2, a = 3 }", /./);
  raises("refuses a table in itself", "local t = {} t.t = t tw.json.encode(t)", /./);
  raises("refuses infinity", "tw.json.encode(1/0)", /./);
  raises("refuses text that is no UTF-8", String.raw`tw.json.encode "\255"`, /UTF-8/);
  gives("escapes", String.raw`return tw.json.encode 'a"b\\c\n\1'`, String.raw`"a\"b\\c\n\u0001"`);
});

describe("text", () => {
  gives("is cut by characters", "return tw.utf8.sub('aü🌊z', 2, 3), tw.utf8.sub('aü🌊z', -2), tw.utf8.sub('aü', 5)", "ü🌊", "🌊z", "");
  gives("is counted by characters", String.raw`return tw.utf8.len 'aü🌊', tw.utf8.len "a\255"`, 3, null, 2);
  gives("is valid or not", String.raw`return tw.utf8.valid 'ü', tw.utf8.valid "\237\160\128", tw.utf8.valid ''`, true, false, true);
});
