/* Hooks: when they run, what their results do, what their arguments hold.
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { after, afterEach, before, describe, test } from "node:test";
import { Client, dropAll, LAB } from "./client.mjs";
import { Server, until } from "./harness.mjs";

let server;
before(async () => {
  server = await Server.start(LAB);
});
after(() => server?.stop());
afterEach(dropAll);

/* Lua that waits until another connection of the worker says `lab.go = true`. */
const WAIT_TO_GO = "while not lab.go do tw.sleep(0.01) end lab.go = nil";
const go = async () => {
  const probe = await Client.open(server);
  await probe.evaluate("lab.go = true");
  probe.drop();
};

const query = (name, code) => `/?${name}=${encodeURIComponent(code)}`;
const upgrade = (code, options) => Client.open(server, query("upgrade", code), options);
const openWith = (code, options) => Client.open(server, query("open", code), options);

/* What on_close was told of a connection: a list of calls. */
async function closesOf(id) {
  const probe = await Client.open(server);
  const calls = await until("on_close ran", async () => {
    const [all] = await probe.evaluate("return tw.json.array(lab.closed)");
    const own = all.filter((call) => call.id === id);
    return own.length > 0 && own;
  });
  probe.drop();
  return calls;
}

describe("on_upgrade", () => {
  test("accepts with true", async () => {
    const client = await upgrade("return true");
    await client.send("x").expect("x");
    assert.deepEqual(await client.evaluate("return conn.user, conn.info, conn.subprotocol"), [null, null, null]);
  });
  test("gives user, info and subprotocol", async () => {
    const client = await upgrade('return { user = "ann", info = { age = 7, tags = { "a" } }, subprotocol = req.protocols[2] }'.replace("req", "msg"), { protocols: ["one", "two"] });
    assert.deepEqual(await client.evaluate("return conn.user, conn.info, conn.subprotocol"), ["ann", { age: 7, tags: ["a"] }, "two"]);
  });
  test("takes a number as user", async () => {
    const client = await upgrade("return { user = 42 }");
    assert.equal(await client.value("return conn.user"), "42");
  });
  test("closes with 3005 when `expires` is over", async () => {
    const client = await upgrade("return { expires = 0.2 }");
    await client.expectClose(3005);
  });
  for (const [code, status] of [
    ["return nil", 403],
    ["return", 403],
    ['return nil, "go away"', 403],
    ['return nil, { status = 401, reason = "who?" }', 401],
    ["return nil, { status = 503 }", 503],
    ['return nil, tw.error("denied")', 403],
    ['return nil, tw.error("not_found")', 404],
    ['return nil, tw.error("limit")', 429],
    ['return nil, tw.error("overloaded")', 503],
    ['return nil, tw.error("whatever")', 403],
    ["return false", 500],
    ["return 5", 500],
    ['return { usr = "typo" }', 500],
    ['return { subprotocol = "not offered" }', 500],
    ['error "oops"', 500],
  ]) {
    test(`'${code}' refuses with ${status}`, async () => {
      await assert.rejects(upgrade(code), (error) => error.status === status && !/oops/.test(error.body));
    });
  }
  test("that returns nothing is told of in the log", async () => {
    await assert.rejects(upgrade("return"));
    await server.logged(/level=warn.*on_upgrade returned nothing/);
  });
  test("tells its reason to the client", async () => {
    await assert.rejects(upgrade('return nil, { status = 401, reason = "who are you?" }'), (error) => /who are you\?/.test(error.body));
  });
  test("may wait", async () => {
    const client = await upgrade("tw.sleep(0.05) return { user = 'late' }");
    assert.equal(await client.value("return conn.user"), "late");
  });
  test("that waits too long gets errors from its calls", async (t) => {
    const short = await Server.start(LAB, { settings: { lua: { wait: 0.2 } } });
    t.after(() => short.stop());
    const client = await Client.open(short, query("upgrade", "local ok, err = tw.sleep(600) return { user = err.code }"));
    /* No waiting in this: it has as little time. */
    client.execute("conn:send(conn.user)");
    await client.expect("timeout");
    dropAll();
  });
  test("of a client that left harms nobody", async () => {
    let socket;
    const createConnection = ({ host, port }) => (socket = connect({ host, port }));
    const gone = upgrade(`${WAIT_TO_GO} return true`, { createConnection });
    await server.hookWaits();
    socket.destroy();
    await assert.rejects(gone);
    await go();
    await server.hookWaits(0);
    const client = await Client.open(server);
    await client.send("x").expect("x");
  });
});

describe("a request", () => {
  test("has method, path, query, headers, cookies, ip and protocols", async () => {
    const code = 'return { subprotocol = "p1", info = { method = msg.method, path = msg.path, q = msg.query.q, h = msg.headers["x-test"], c = msg.cookies, ip = msg.ip, p = msg.protocols } }';
    const client = await Client.open(server, `${query("upgrade", code)}&q=1&q=%C3%BC`, { protocols: ["p1", "p2"], headers: { "X-Test": "yes", Cookie: "a=1; b=2" } });
    assert.deepEqual(await client.value("return conn.info"), { method: "GET", path: "/", q: "ü", h: "yes", c: { a: "1", b: "2" }, ip: "127.0.0.1", p: ["p1", "p2"] });
  });
  test("is there in on_open, too, through waits", async () => {
    const client = await openWith("tw.sleep(0.02) conn:send(msg.query.open:sub(1, 8))");
    await client.expect("tw.sleep");
  });
  test("is gone when its hook has returned", async () => {
    const client = await openWith("lab.req = msg");
    await assert.rejects(client.evaluate("return lab.req.path"), /valid until its hook returned/);
  });
  test("with a field that is none names the nearest", async () => {
    const client = await openWith("local ok, err = pcall(function() return msg.querry end) conn:send(err)");
    assert.match(await client.next(), /unknown field 'querry' \(did you mean 'query'\?\)/);
  });
});

describe("on_open", () => {
  test("runs before any message", async () => {
    const client = await openWith("tw.sleep(0.1) conn:send 'opened'");
    await client.send("first").expect("opened", "first");
  });
  for (const [code, close, reason] of [
    ['return nil, "no"', 1008, "no"],
    ['return nil, tw.error("denied", "not you")', 1008, "not you"],
    ['return nil, tw.error("overloaded", "full")', 1013, "full"],
    ['error "oops"', 1011, "internal error"],
  ]) {
    test(`'${code}' closes with ${close}`, async () => {
      const client = await openWith(code);
      await client.expectClose(close, reason);
    });
  }
  test("that closed is followed by on_close once", async () => {
    const client = await openWith('conn:send(conn.id) return nil, "no"');
    const id = await client.next();
    await client.expectClose(1008);
    assert.deepEqual((await closesOf(id)).map((call) => call.code), [1008]);
  });
});

describe("on_close", () => {
  const idOf = (client) => client.value("return conn.id");

  test("tells the client's code and reason", async () => {
    const client = await Client.open(server);
    const id = await idOf(client);
    await client.close(4321, "so long");
    assert.deepEqual(await closesOf(id), [{ id, code: 4321, reason: "so long" }]);
  });
  test("tells 1005 for a close without a code", async () => {
    const client = await Client.open(server);
    const id = await idOf(client);
    await client.close();
    assert.deepEqual((await closesOf(id)).map((call) => call.code), [1005]);
  });
  test("tells 1006 for a connection that was lost", async () => {
    const client = await Client.open(server);
    const id = await idOf(client);
    client.drop();
    assert.deepEqual((await closesOf(id)).map((call) => call.code), [1006]);
  });
  test("tells the code of a close by the script", async () => {
    const client = await Client.open(server);
    const id = await idOf(client);
    client.execute('conn:close(4999, "mine")');
    await client.expectClose(4999, "mine");
    assert.deepEqual(await closesOf(id), [{ id, code: 4999, reason: "mine" }]);
  });
  test("runs after the running hook", async () => {
    const client = await Client.open(server);
    const id = await idOf(client);
    client.execute(`${WAIT_TO_GO} table.insert(lab.closed, { id = conn.id, code = 'hook ended' })`);
    await server.hookWaits();
    client.drop();
    await go();
    await until("both", async () => (await closesOf(id)).length === 2);
    assert.deepEqual((await closesOf(id)).map((call) => call.code), ["hook ended", 1006]);
  });
  test("finds sends failing, and state and channels readable", async () => {
    const client = await Client.open(server);
    const id = await idOf(client);
    await client.value('conn.state.word = "kept" return conn:subscribe("some:channel")');
    await client.evaluate(`lab.on_close = function(conn)
      if conn.id ~= "${id}" then return end
      local ok, err = conn:send "late"
      table.insert(lab.closed, { id = conn.id, code = 0, send = err and err.code, word = conn.state.word, channels = conn:channels() })
    end`);
    await client.close(1000);
    await until("both", async () => (await closesOf(id)).length === 2);
    assert.deepEqual((await closesOf(id))[1], { id, code: 0, send: "closed", word: "kept", channels: ["some:channel"] });
  });
  test("is not told of an upgrade that was refused", async () => {
    const probe = await Client.open(server);
    /* Connections of tests before this one may still be ending. */
    await until("no other is left", async () => (await server.metric("tidewire_connections")) === 1);
    const before = await probe.value("return #lab.closed");
    await assert.rejects(upgrade("return nil"));
    assert.equal(await probe.value("return #lab.closed"), before);
  });
});

describe("on_alarm", () => {
  test("rings once, with its name", async () => {
    const client = await Client.open(server);
    await client.value("return conn:alarm(0.05, 'tea')");
    await client.expect("alarm tea");
    await client.evaluate("return tw.sleep(0.1)");
    await client.expectNone();
  });
  test("has a name of its own without one", async () => {
    const client = await Client.open(server);
    await client.value("return conn:alarm(0.01)");
    await client.expect("alarm alarm");
  });
  test("is moved by the same name, and dropped by nil", async () => {
    const client = await Client.open(server);
    const since = performance.now();
    await client.value("conn:alarm(0.05, 'a') conn:alarm(0.05, 'b') conn:alarm(0.2, 'a') return conn:alarm(nil, 'b')");
    await client.expect("alarm a");
    assert.ok(performance.now() - since > 180);
    await client.expectNone();
  });
  test("of several names rings for each in its time", async () => {
    const client = await Client.open(server);
    await client.value("conn:alarm(0.09, 'c') conn:alarm(0.03, 'a') return conn:alarm(0.06, 'b')");
    await client.expect("alarm a", "alarm b", "alarm c");
  });
  test("waits for the running hook", async () => {
    const client = await Client.open(server);
    client.execute("conn:alarm(0.02, 'x') tw.sleep(0.2) conn:send 'hook'");
    await client.expect("hook", "alarm x");
  });
  test("of too many names is refused", async () => {
    const client = await Client.open(server);
    const [, error] = await client.evaluate("for i = 1, 100 do local ok, err = conn:alarm(60, 'n' .. i) if not ok then return ok, err end end");
    assert.equal(error.code, "limit");
  });
  test("takes 0 as soon", async () => {
    const client = await Client.open(server);
    await client.value("return conn:alarm(0, 'now')");
    await client.expect("alarm now");
  });
});

describe("a raising hook", () => {
  test("closes its connection with 1011, and is logged with file, line and traceback", async () => {
    const since = server.log.length;
    const client = await Client.open(server);
    client.execute("\nerror 'the reason'");
    await client.expectClose(1011, "internal error");
    const [line] = await server.logged(/level=error.*the reason.*/, since);
    assert.match(line, /call=on_message/);
    assert.match(line, /generation=1/);
    assert.match(line, /traceback=/);
    assert.match(line, /conn=/);
  });
  test("is counted", async () => {
    const before = await server.metric("tidewire_hook_errors_total");
    const client = await Client.open(server);
    client.execute("error 'x'");
    await client.expectClose(1011);
    assert.equal(await server.metric("tidewire_hook_errors_total"), before + 1);
  });
  test("leaves its connection alone where errors are ignored", async () => {
    const client = await Client.open(server, "/ignore");
    client.execute("error 'x'");
    await client.send("still").expect("still");
  });
  test("may raise anything", async () => {
    for (const value of ["nil", "42", "{}", "tw.error('denied')", "print", "setmetatable({}, { __tostring = function() error 'again' end })"]) {
      const client = await Client.open(server);
      client.execute(`error(${value})`);
      await client.expectClose(1011);
    }
  });
  test("sends what it sent before it raised", async () => {
    const client = await Client.open(server);
    client.execute("conn:send 'before' error 'x'");
    await client.expect("before");
    await client.expectClose(1011);
  });
  test("after a wait is the same", async () => {
    const client = await Client.open(server);
    client.execute("tw.sleep(0.01) error 'after a wait'");
    await client.expectClose(1011);
    await server.logged(/after a wait/);
  });
});

describe("one at a time", () => {
  test("messages wait while a hook waits, in order", async () => {
    const client = await Client.open(server);
    client.execute("tw.sleep(0.1) conn:send 'slow'");
    for (let i = 0; i < 50; i++) {
      client.send(`m${i}`);
    }
    await client.expect("slow", ...Array.from({ length: 50 }, (_, i) => `m${i}`));
  });
  test("other connections' hooks run meanwhile", async () => {
    const [slow, quick] = [await Client.open(server), await Client.open(server)];
    slow.execute(`${WAIT_TO_GO} conn:send 'slow'`);
    await server.hookWaits();
    await quick.send("quick").expect("quick");
    assert.equal(slow.pending, 0);
    await go();
    await slow.expect("slow");
  });
  test("publications arrive while a hook waits", async () => {
    const [slow, quick] = [await Client.open(server), await Client.open(server)];
    await slow.value('return conn:subscribe("meanwhile")');
    slow.execute(`${WAIT_TO_GO} conn:send 'slow'`);
    await server.hookWaits();
    await quick.value('return tw.publish("meanwhile", "published")');
    await slow.expect("published");
    await go();
    await slow.expect("slow");
  });
  test("pings that were not read yet are answered after the wait", async () => {
    const client = await Client.open(server);
    client.execute("tw.sleep(0.1) conn:send 'slow'");
    await client.ping();
    await client.expect("slow");
  });
});

describe("a close", () => {
  test("leaves after what was sent before, and nothing after it", async () => {
    const client = await Client.open(server);
    client.execute("for i = 1, 100 do conn:send('n' .. i) end conn:close(4000, 'end') lab.late = { conn:send 'late' }");
    await client.expectClose(4000, "end");
    assert.deepEqual(await client.take(100), Array.from({ length: 100 }, (_, i) => `n${i + 1}`));
    assert.equal(client.pending, 0);
    const probe = await Client.open(server);
    assert.equal((await probe.evaluate("return unpack(lab.late, 1, 2)"))[1].code, "closed");
  });
  test("of another's connection is possible", async () => {
    const [one, two] = [await Client.open(server), await Client.open(server)];
    await one.evaluate("lab.one = conn");
    assert.equal(await two.value("return lab.one:close(4002, 'by another')"), true);
    await one.expectClose(4002, "by another");
    assert.equal((await two.evaluate("return lab.one:send 'x'"))[1].code, "closed");
  });
  test("in the middle of a subscribe ends it", async () => {
    const [one, two] = [await Client.open(server), await Client.open(server)];
    await one.evaluate("lab.one = conn");
    one.execute(`lab.result = nil ${WAIT_TO_GO} local ok, err = conn:subscribe 'x' lab.result = err and err.code or 'none'`);
    await server.hookWaits();
    await two.value("return lab.one:close()");
    await go();
    await until("the result", async () => (await two.value("return lab.result or ''")) === "closed");
  });
  test("of a wrong code raises", async () => {
    const client = await Client.open(server);
    await assert.rejects(client.evaluate("conn:close(1005)"), /1005 may not be sent/);
    await assert.rejects(client.evaluate("conn:close('x')"), /conn:close: code must be a number/);
  });
});

describe("the rate of a route", () => {
  /* Five at once and five a second: what it lets through, at the most, from
   * `since` on. */
  const allowed = (since) => 5 + 5 * ((performance.now() - since) / 1000) + 1;

  test("closes with 1008 beyond it", async () => {
    const client = await Client.open(server, "/rate/close");
    const since = performance.now();
    for (let i = 0; i < 1000; i++) {
      client.send(`${i}`);
    }
    await client.expectClose(1008);
    assert.ok(client.pending >= 5 && client.pending <= allowed(since), `${client.pending} answers`);
  });
  test("drops beyond it", async () => {
    const COUNT = 1000;
    const dropped = () => server.metric("tidewire_messages_rate_dropped_total");
    const before = await dropped();
    const client = await Client.open(server, "/rate/drop");
    const since = performance.now();
    for (let i = 0; i < COUNT; i++) {
      client.send(`${i}`);
    }
    await client.expect("0", "1", "2", "3", "4");
    await until("all are answered or dropped", async () => 5 + client.pending + (await dropped()) - before === COUNT);
    assert.ok(5 + client.pending <= allowed(since), `${5 + client.pending} answers`);
    assert.ok(client.isOpen);
  });
  test("waits beyond it and loses nothing", async () => {
    const client = await Client.open(server, "/rate/wait");
    const since = Date.now();
    for (let i = 0; i < 15; i++) {
      client.send(`${i}`);
    }
    await client.expect(...Array.from({ length: 15 }, (_, i) => `${i}`));
    assert.ok(Date.now() - since > 300, "ten messages at twenty a second");
  });
});
