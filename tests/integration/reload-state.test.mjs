/* What goes over a reload: states, hooks under way, alarms, subscriptions.
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Client } from "./client.mjs";
import { Gate } from "./harness.mjs";
import { app, ask, refused, reloaded, scripts, server, start, surround } from "./reload.mjs";

surround();

describe("a connection's state", () => {
  test("is carried over, less what is no plain data", async () => {
    const script = (body) => `
local tw = require "tidewire"
return tw.app { drain = { spread = 0 }, on_message = function(conn, msg) local state = conn.state; ${body} end }
`;
    await start(script("state.n = (state.n or 0) + 1; state.deep = { list = { 1, 2 }, yes = true }; state.f = print; conn:send(state.n .. '')"));
    const client = await Client.open(server);
    assert.equal(await ask(client, "x"), "1");
    assert.equal(await ask(client, "x"), "2");
    scripts.write("main.lua", script("conn:send { n = state.n, deep = state.deep, f = type(state.f) }"));
    await reloaded();
    assert.deepEqual(JSON.parse(await ask(client, "x")), { n: 2, deep: { list: [1, 2], yes: true }, f: "nil" });
    await server.logged(/dropped from conn\.state.*path=state\.f/);
  });

  test("of 64 KiB goes over, and more is dropped with a word", async () => {
    const script = (body) => `
local tw = require "tidewire"
return tw.app { drain = { spread = 0 }, on_message = function(conn, msg) ${body} end }
`;
    await start(script("conn.state.text = ('x'):rep(tonumber(msg.data)); conn:send 'done'"));
    const [small, large] = [await Client.open(server), await Client.open(server)];
    assert.equal(await ask(small, "60000"), "done");
    assert.equal(await ask(large, "70000"), "done");
    scripts.write("main.lua", script("conn:send(tostring(conn.state.text and #conn.state.text))"));
    await reloaded();
    assert.equal(await ask(small, "x"), "60000");
    assert.equal(await ask(large, "x"), "nil");
    await server.logged(/level=(warn|error).*conn\.state/);
  });

  test("is migrated before the first hook of another version, and of the same not", async () => {
    const script = (version, body) => `
local tw = require "tidewire"
return tw.app {
    version = ${version}, drain = { spread = 0 },
    migrate = function(state, version) return { was = state, version = version, again = state.version and true } end,
    on_message = function(conn, msg) ${body} conn:send(conn.state) end,
}
`;
    await start(script(1, "conn.state.a = 1"));
    const client = await Client.open(server);
    assert.deepEqual(JSON.parse(await ask(client, "x")), { a: 1 });
    scripts.write("main.lua", script(1, ""));
    await reloaded();
    assert.deepEqual(JSON.parse(await ask(client, "x")), { a: 1 });
    scripts.write("main.lua", script(2, ""));
    await reloaded();
    assert.deepEqual(JSON.parse(await ask(client, "x")), { was: { a: 1 }, version: 1 });
    await reloaded();
    assert.deepEqual(JSON.parse(await ask(client, "x")), { was: { a: 1 }, version: 1 });
  });

  test("that migrate fails on closes its connection and no other", async () => {
    const script = (version) => `
local tw = require "tidewire"
return tw.app {
    version = ${version}, drain = { spread = 0 },
    migrate = function(state) assert(not state.bad, "cannot") return state end,
    on_message = function(conn, msg) conn.state[msg.data] = true; conn:send(conn.state) end,
}
`;
    await start(script(1));
    const [bad, good] = [await Client.open(server), await Client.open(server)];
    await ask(bad, "bad");
    await ask(good, "good");
    scripts.write("main.lua", script(2));
    await reloaded();
    await bad.expectClose(1011);
    assert.deepEqual(JSON.parse(await ask(good, "x")), { good: true, x: true });
  });
});

describe("a worker's state", () => {
  const script = (extra = "") => `
local tw = require "tidewire"
local count = 0
return tw.app {
    version = 7, drain = { spread = 0 },
    save = function() return { count = count } end,
    restore = function(saved, version) count = saved.count; restored = nil; assert(version == 7) end,
    on_message = function(conn, msg) count = count + 1; conn:send(tostring(count)) end,
    ${extra}
}
`;
  test("is saved and restored", async () => {
    await start(script().replace("restored = nil; ", ""));
    const client = await Client.open(server);
    await ask(client, "x");
    await ask(client, "x");
    await reloaded();
    assert.equal(await ask(client, "x"), "3");
    await reloaded();
    assert.equal(await ask(client, "x"), "4");
  });

  test("that cannot be restored aborts the reload", async () => {
    await start(script().replace("restored = nil; ", ""));
    const client = await Client.open(server);
    await ask(client, "x");
    scripts.write("main.lua", script()); // an accidental global in restore
    assert.match(await refused(), /restore.*restored/);
    assert.equal(await ask(client, "x"), "2");
  });

  test("that cannot be saved aborts the reload", async () => {
    await start(script().replace("restored = nil; ", "").replace("return { count = count }", 'error "no save"'));
    const client = await Client.open(server);
    assert.match(await refused(), /save.*no save/);
    assert.equal(await ask(client, "x"), "1");
  });

  test("may not be waited for", async () => {
    await start(script().replace("restored = nil; ", "").replace("return { count = count }", "tw.sleep(0)"));
    assert.match(await refused(), /tw\.sleep/);
  });

  test("module variables start anew without save", async () => {
    await start(script().replace(/save = .*\n.*restore = .*\n/, ""));
    const client = await Client.open(server);
    await ask(client, "x");
    await reloaded();
    assert.equal(await ask(client, "x"), "1");
  });
});

describe("over a reload", () => {
  const app2 = (name, body) => `
local tw = require "tidewire"
return tw.app {
    drain = { spread = 0 },
    on_message = function(conn, msg) ${body} end,
    on_alarm = function(conn, name) conn:send("${name} alarm " .. name) end,
    on_close = function(conn, code) tw.log.info("closed by ${name}", { code = code, n = conn.state.n }) end,
}
`;

  test("a hook that waits ends in its own generation, and the next runs in the new one", async (t) => {
    const gate = new Gate();
    t.after(() => gate.close());
    await start(app2("one", `${gate.wait} conn.state.n = 7; conn:send("one " .. tw.generation .. " " .. msg.data)`), { settings: { files: gate.files } });
    const client = await Client.open(server);
    client.send("wait").send("next");
    await server.hookWaits();
    scripts.write("main.lua", app2("two", 'conn:send("two " .. tw.generation .. " " .. msg.data .. " " .. tostring(conn.state.n))'));
    await reloaded();
    gate.open();
    await client.expect("one 1 wait", "two 2 next 7");
  });

  test("a hook that waits too long is ended, and its connection is not", async () => {
    await start(app2("one", 'tw.sleep(60)'), { settings: { lua: { retire: 0.3, wait: 100 } } });
    const client = await Client.open(server);
    client.send("wait").send("next");
    await server.hookWaits();
    scripts.write("main.lua", app2("two", 'conn:send("two " .. msg.data)'));
    await reloaded();
    await client.expect("two next");
    await server.logged(/retired/);
  });

  test("at most two generations exist: the reload after the next one ends the hook", async () => {
    await start(app2("one", 'tw.sleep(60)'), { settings: { lua: { wait: 100 } } });
    const client = await Client.open(server);
    client.send("wait").send("next");
    await server.hookWaits();
    scripts.write("main.lua", app2("two", 'conn:send("two " .. msg.data)'));
    await reloaded();
    await reloaded();
    await client.expect("two next");
  });

  test("alarms stay, and ring in the new generation", async () => {
    const ringing = (name) => app2(name, 'conn:alarm(tonumber(msg.data), "later"); conn:send "set"');
    await start(ringing(1));
    const client = await Client.open(server);
    /* It must not ring before the reload is over, however long that takes. */
    let who, generation = 1;
    for (let seconds = 0.5; who !== `${generation} alarm later`; seconds *= 4) {
      assert.ok(seconds < 100, `rung by ${who} in generation ${generation}`);
      assert.equal(await ask(client, `${seconds}`), "set");
      scripts.write("main.lua", ringing(++generation));
      await reloaded();
      who = await client.next();
    }
  });

  test("subscriptions stay", async () => {
    await start(app2("one", 'conn:send(conn:subscribe(msg.data) and "in")'), { workers: 3 });
    const clients = await Promise.all(Array.from({ length: 6 }, () => Client.open(server)));
    await Promise.all(clients.map(async (client) => assert.equal(await ask(client, "room"), "in")));
    scripts.write("main.lua", app2("two", 'tw.publish("room", msg)'));
    await reloaded();
    clients[0].send("all");
    await Promise.all(clients.map((client) => client.expect("all")));
  });

  test("on_close runs in the new generation, with the state", async () => {
    await start(app2("one", "conn.state.n = 5; conn:send 'ok'"));
    const client = await Client.open(server);
    await ask(client, "x");
    scripts.write("main.lua", app2("two", ""));
    await reloaded();
    await client.close(4001);
    await server.logged(/msg="closed by two".*code=4001.*n=5|msg="closed by two".*n=5.*code=4001/);
  });

  test("a route that is gone leaves its connections open and mute", async () => {
    const routes = (path) => `
local tw = require "tidewire"
return tw.routes { ["${path}"] = tw.app { drain = { spread = 0 }, on_message = function(conn, msg) conn:send(msg) end } }
`;
    await start(routes("/a"));
    const client = await Client.open(server, "/a");
    await client.send("x").expect("x");
    scripts.write("main.lua", routes("/b"));
    await reloaded();
    client.send("y");
    await client.expectNone();
    await assert.rejects(Client.open(server, "/a"), { status: 404 });
    const other = await Client.open(server, "/b");
    await other.send("z").expect("z");
    scripts.write("main.lua", routes("/a"));
    await reloaded();
  });

  test("a hook that was added or taken away counts from now on", async () => {
    await start(app("one"));
    const client = await Client.open(server);
    await client.send("x").expect("one 1 x");
    scripts.write("main.lua", 'local tw = require "tidewire"\nreturn tw.app { drain = { spread = 0 } }\n');
    await reloaded();
    client.send("y");
    await client.expectNone();
    scripts.write("main.lua", app("three"));
    await reloaded();
    await client.send("z").expect("three 3 z");
  });
});
