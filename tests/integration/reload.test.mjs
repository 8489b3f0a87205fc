/* Reloads: behaviour changes, connections stay, all workers or none.
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { after, afterEach, beforeEach, describe, test } from "node:test";
import { Client, dropAll } from "./client.mjs";
import { Scripts, Server, until } from "./harness.mjs";

/* A script whose answers name what is in it. */
const app = (name, body = "") => `
local tw = require "tidewire"
${body}
return tw.app {
    drain = { spread = 0 },
    on_open = function(conn) return conn:subscribe "all" end,
    on_message = function(conn, msg) conn:send("${name} " .. tw.generation .. " " .. msg.data) end,
}
`;

let server, scripts;

async function start(files, options) {
  scripts = new Scripts(typeof files === "string" ? { "main.lua": files } : files);
  server = await Server.start(scripts.path(), options);
  return server;
}

async function reloaded(answer = server.reload()) {
  const { status, body } = await answer;
  assert.equal(status, 200, body);
  return JSON.parse(body).generation;
}

/* Why a reload was refused; the generation is the one before. */
async function refused() {
  const before = (await server.status()).generation;
  const { status, body } = await server.reload();
  assert.ok(status === 422 || status === 409, `${status}: ${body}`);
  const after = await server.status();
  assert.equal(after.generation, before);
  assert.deepEqual(after.workers.map((worker) => worker.generation), after.workers.map(() => before));
  return JSON.parse(body).error.message;
}

async function ask(client, question) {
  return (await client.send(question)).next();
}

beforeEach(() => {
  server = scripts = null;
});
afterEach(async () => {
  dropAll();
  await server?.stop();
  scripts?.remove();
});
after(dropAll);

for (const workers of [1, 3]) {
  describe(`with ${workers} worker${workers > 1 ? "s" : ""}`, () => {
    test("a reload changes the behaviour of open connections", async () => {
      await start(app("one"), { workers });
      const clients = await Promise.all(Array.from({ length: 12 }, () => Client.open(server)));
      assert.equal(await ask(clients[0], "x"), "one 1 x");
      scripts.write("main.lua", app("two"));
      assert.equal(await reloaded(), 2);
      for (const client of clients) {
        assert.equal(await ask(client, "y"), "two 2 y");
      }
    });

    test("SIGHUP reloads", async () => {
      await start(app("one"), { workers });
      const client = await Client.open(server);
      scripts.write("main.lua", app("two"));
      server.signal("SIGHUP");
      await server.logged(/msg="reload committed".*generation=2/);
      await until("the new answer", async () => (await ask(client, "x")) === "two 2 x");
    });

    test("a syntax error keeps the old generation and names file and line", async () => {
      await start(app("one"), { workers });
      const client = await Client.open(server);
      scripts.write("main.lua", app("two").replace("return tw.app {", "return tw.app {{"));
      assert.match(await refused(), /main\.lua:\d+: /);
      await server.logged(/level=error.*main\.lua:\d+: /);
      assert.equal(await ask(client, "x"), "one 1 x");
      scripts.write("main.lua", app("three"));
      const generation = await reloaded();
      assert.equal(await ask(client, "x"), `three ${generation} x`);
    });

    for (const [what, body, reason] of [
      ["an error while loading", 'error "not today"', /main\.lua:3: not today/],
      ["an accidental global", "accidental = 1", /main\.lua:3: .*accidental/],
      ["a loop that does not end", "while true do end", /main\.lua:3: .*budget/],
      ["a missing module", 'require "nowhere"', /nowhere/],
      ["a wait while loading", "tw.sleep(0)", /tw\.sleep/],
      ["a publication while loading", 'tw.publish("all", "x")', /tw\.publish cannot be used while the script loads/],
      ["a class declared twice", 'tw.channels { a = {} } tw.channels { a = {} }', /a/],
    ]) {
      test(`${what} keeps the old generation`, async () => {
        await start(app("one"), { workers });
        const client = await Client.open(server);
        scripts.write("main.lua", app("two", body));
        assert.match(await refused(), reason);
        assert.equal(await ask(client, "x"), "one 1 x");
      });
    }

    for (const [what, script, reason] of [
      ["an origin that is no pattern", 'return tw.app { origins = { "nonsense" } }', /origin/],
      ["a folder that is not there", 'return tw.routes { ["/*"] = tw.static "nowhere" }', /nowhere|\/\*/],
      ["a script that returns nothing", "", /must return/],
    ]) {
      test(`${what} keeps the old generation`, async () => {
        await start(app("one"), { workers });
        const client = await Client.open(server);
        scripts.write("main.lua", `local tw = require "tidewire"\n${script}\n`);
        assert.match(await refused(), reason);
        assert.equal(await ask(client, "x"), "one 1 x");
      });
    }

    test("a module that changed is loaded anew, in every worker the same", async () => {
      await start({ "main.lua": app("one", 'local word = require "lib.word"').replace('"one "', 'word .. " "'), "lib/word.lua": 'return "alpha"\n' }, { workers });
      const clients = await Promise.all(Array.from({ length: 9 }, () => Client.open(server)));
      scripts.write("lib/word.lua", 'return "beta"\n');
      await reloaded();
      for (const client of clients) {
        assert.equal(await ask(client, "x"), "beta 2 x");
      }
    });

    test("100 SIGHUPs in a burst lose nothing, double nothing and disconnect nobody", async () => {
      const counting = (mark) => `
local tw = require "tidewire"
local mark = ${mark}
local part = require "part"
return tw.app {
    drain = { spread = 0 },
    on_open = function(conn)
        assert(conn:subscribe "all")
        conn:send "subscribed"
    end,
    on_message = function(conn, msg)
        assert(part == mark, "a generation of two halves")
        tw.publish("all", msg)
        conn:send { echo = tonumber(msg.data:match "%d+$"), part = part, mark = mark, generation = tw.generation }
    end,
}
`;
      const write = (mark) => scripts.write("main.lua", counting(mark)).write("part.lua", `return ${mark}\n`);
      scripts = new Scripts();
      write(0);
      server = await Server.start(scripts.path(), { workers });
      const clients = await Promise.all(Array.from({ length: 6 }, () => Client.open(server)));
      await Promise.all(clients.map((client) => client.expect("subscribed")));
      const sent = Array(clients.length).fill(0);
      let isOver = false;
      const load = clients.map(async (client, who) => {
        while (!isOver) {
          client.send(`${who}:${sent[who]++}`);
          if (sent[who] % 10 === 0) {
            await new Promise((resolve) => setTimeout(resolve, 2));
          }
        }
      });
      for (let i = 0; i < 100; i++) {
        server.signal("SIGHUP");
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      write(1);
      const last = await reloaded();
      const before = sent.map((count) => count);
      await until("messages flow through the last generation", () => sent.every((count, i) => count > before[i] + 20));
      isOver = true;
      await Promise.all(load);
      const total = sent.reduce((a, b) => a + b, 0);
      for (const [who, client] of clients.entries()) {
        const seen = clients.map(() => 0);
        let echoes = 0, generation = 0, part = 0;
        for (let i = 0; i < total + sent[who]; i++) {
          const message = await client.next();
          if (message.startsWith("{")) {
            const echo = JSON.parse(message);
            assert.equal(echo.echo, echoes++, "echoes in order");
            assert.equal(echo.part, echo.mark);
            assert.ok(echo.generation >= generation, "generations never go back");
            generation = echo.generation;
            part = echo.part;
          } else {
            const [from, number] = message.split(":").map(Number);
            assert.equal(number, seen[from]++, "publications in order, none lost, none twice");
          }
        }
        assert.deepEqual(seen, sent);
        assert.equal(echoes, sent[who]);
        assert.deepEqual([part, generation], [1, last]);
        await client.expectNone();
        assert.ok(client.isOpen);
      }
      assert.ok(last >= 3, `only ${last} generations`);
      assert.doesNotMatch(server.log, /two halves/);
    });
  });
}

/* ---- what goes over a reload ---- */

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

  test("a hook that waits ends in its own generation, and the next runs in the new one", async () => {
    await start(app2("one", 'tw.sleep(msg.data == "wait" and 0.5 or 0); conn.state.n = 7; conn:send("one " .. tw.generation .. " " .. msg.data)'));
    const client = await Client.open(server);
    client.send("wait").send("next");
    await until("the hook waits", async () => (await server.metric("tidewire_waiting_hooks")) === 1);
    scripts.write("main.lua", app2("two", 'conn:send("two " .. tw.generation .. " " .. msg.data .. " " .. tostring(conn.state.n))'));
    await reloaded();
    await client.expect("one 1 wait", "two 2 next 7");
  });

  test("a hook that waits too long is ended, and its connection is not", async () => {
    await start(app2("one", 'tw.sleep(60)'), { settings: { lua: { retire: 0.3, wait: 100 } } });
    const client = await Client.open(server);
    client.send("wait").send("next");
    await until("the hook waits", async () => (await server.metric("tidewire_waiting_hooks")) === 1);
    scripts.write("main.lua", app2("two", 'conn:send("two " .. msg.data)'));
    await reloaded();
    await client.expect("two next");
    await server.logged(/retired/);
  });

  test("at most two generations exist: the reload after the next one ends the hook", async () => {
    await start(app2("one", 'tw.sleep(60)'), { settings: { lua: { wait: 100 } } });
    const client = await Client.open(server);
    client.send("wait").send("next");
    await until("the hook waits", async () => (await server.metric("tidewire_waiting_hooks")) === 1);
    scripts.write("main.lua", app2("two", 'conn:send("two " .. msg.data)'));
    await reloaded();
    await reloaded();
    await client.expect("two next");
  });

  test("alarms stay, and ring in the new generation", async () => {
    await start(app2("one", 'conn:alarm(0.5, "later"); conn:send "set"'));
    const client = await Client.open(server);
    assert.equal(await ask(client, "x"), "set");
    scripts.write("main.lua", app2("two", ""));
    await reloaded();
    await client.expect("two alarm later");
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

describe("lifecycle", () => {
  test("on_start and on_stop tell their reasons, and may wait", async () => {
    await start(`
local tw = require "tidewire"
return tw.app {
    drain = { spread = 0 },
    on_start = function(ctx) tw.sleep(0.01); tw.log.info("started", { why = ctx.reason }) end,
    on_stop = function(ctx) tw.sleep(0.01); tw.log.info("stopped", { why = ctx.reason }) end,
}
`);
    await server.logged(/msg=started .*why=start generation=1/);
    await reloaded();
    await server.logged(/msg=started .*why=reload generation=2/);
    await server.logged(/msg=stopped .*why=reload generation=1/);
    const old = server;
    await old.stop();
    server = null;
    assert.match(old.log, /msg=stopped .*why=shutdown generation=2/);
  });

  test("timers of the old generation stop; a named one keeps its beat", async () => {
    const ticking = (name) => `
local tw = require "tidewire"
local mine = "${name}"
tw.every(0.2, function() tw.publish("ticks", mine .. " " .. tw.now()) end, { name = "tick" })
tw.every(0.05, function() tw.publish("other", mine) end)
return tw.app {
    drain = { spread = 0 },
    on_open = function(conn) return conn:subscribe "ticks" end,
    on_message = function(conn, msg) conn:subscribe "other"; conn:send "in" end,
}
`;
    await start(ticking("one"));
    const client = await Client.open(server);
    const at = (tick) => Number(tick.split(" ")[1]);
    const first = at(await client.next());
    scripts.write("main.lua", ticking("two"));
    await reloaded();
    let tick = await client.next();
    while (tick.startsWith("one")) {
      tick = await client.next();
    }
    assert.match(tick, /^two /);
    const beats = (at(tick) - first) / 0.2;
    assert.ok(Math.abs(beats - Math.round(beats)) < 0.3, `off the beat: ${beats}`);
    client.send("x");
    for (let i = 0, message; i < 5; message === "two" && i++) {
      message = await client.next();
      assert.notEqual(message, "one");
    }
  });
});

/* ---- deaths meanwhile ---- */

describe("a worker that dies during a reload", () => {
  for (const moment of [0, 5, 20, 60]) {
    test(`leaves no mixture, killed ${moment} ms after the request`, async () => {
      const slow = (name) => app(name, "local t = 0 for i = 1, 2e6 do t = t + i % 7 end");
      await start(slow("one"), { workers: 3, settings: { lua: { budget: 5 } } });
      const victim = await server.worker(1);
      scripts.write("main.lua", slow("two"));
      const answer = server.reload();
      await new Promise((resolve) => setTimeout(resolve, moment));
      process.kill(victim.pid, "SIGKILL");
      const { status } = await answer;
      const final = await until("the worker is replaced", async () => {
        const now = await server.status();
        return now.workers.every((worker) => worker.ready) && now.workers[1].pid !== victim.pid && now;
      });
      const expected = status === 200 ? "two" : "one";
      assert.deepEqual(final.workers.map((worker) => worker.generation), Array(3).fill(final.generation));
      for (let i = 0; i < 12; i++) {
        const client = await Client.open(server);
        assert.equal(await ask(client, "x"), `${expected} ${final.generation} x`);
      }
      assert.equal(await reloaded(), final.generation + (status === 200 ? 1 : 2));
    });
  }

  test("starts again on the committed generation, though the files have changed", async () => {
    await start(app("one"), { workers: 2 });
    scripts.write("main.lua", app("two"));
    await reloaded();
    scripts.write("main.lua", "this is no Lua");
    const victim = await server.worker(0);
    process.kill(victim.pid, "SIGKILL");
    await until("the worker is replaced", async () => {
      const worker = await server.worker(0);
      return worker.ready && worker.pid !== victim.pid;
    });
    for (let i = 0; i < 8; i++) {
      const client = await Client.open(server);
      assert.equal(await ask(client, "x"), "two 2 x");
    }
  });

  test("gets reason 'respawn' in on_start", async () => {
    await start('local tw = require "tidewire"\nreturn tw.app { on_start = function(ctx) tw.log.info("started", { why = ctx.reason }) end }\n');
    const { pid } = await server.worker(0);
    process.kill(pid, "SIGKILL");
    await server.logged(/msg=started .*why=respawn/);
    await until("all is ready", async () => (await server.worker(0)).ready);
  });
});
