/* Reloads: behaviour changes, connections stay, all workers or none.
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Client } from "./client.mjs";
import { pause, until } from "./harness.mjs";
import { app, ask, refused, reloaded, scripts, server, start, surround } from "./reload.mjs";

surround();

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
        await start(app("one"), { workers, settings: { lua: { budget: 0.05 } } });
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
      const files = (mark) => ({ "main.lua": counting(mark), "part.lua": `return ${mark}\n` });
      await start(files(0), { workers });
      const clients = await Promise.all(Array.from({ length: 6 }, () => Client.open(server)));
      await Promise.all(clients.map((client) => client.expect("subscribed")));
      const sent = Array(clients.length).fill(0);
      const all = () => sent.reduce((a, b) => a + b, 0);
      let isOver = false;
      /* What is on its way stays within every queue's limit. */
      const isFull = (client, who) => all() + sent[who] - client.pending > 3000;
      const load = clients.map(async (client, who) => {
        while (!isOver) {
          client.send(`${who}:${sent[who]++}`);
          while (sent[who] % 10 === 0 && (await pause(2), isFull(client, who))) {}
        }
      });
      for (let i = 0; i < 100; i++) {
        server.signal("SIGHUP");
        await pause(5);
      }
      Object.entries(files(1)).forEach(([name, text]) => scripts.write(name, text));
      const last = await reloaded();
      const before = sent.map((count) => count);
      await until("messages flow through the last generation", () => sent.every((count, i) => count > before[i] + 20));
      isOver = true;
      await Promise.all(load);
      const total = all();
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
