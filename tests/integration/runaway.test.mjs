/* Scripts that do not end, or take all the memory: they cost that one call and
 * its report, and the others of the same worker wait at most half a second.
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { Client, dropAll, LAB } from "./client.mjs";
import { Server, least, sanitized, watch } from "./harness.mjs";

const HALF_A_SECOND = sanitized ? 2000 : 500;

for (const jit of [true, false]) {
  describe(jit ? "compiled" : "interpreted", () => {
    let server;
    before(async () => {
      server = await Server.start(LAB, { settings: { lua: { jit, memory: "64MiB", budget: 0.1 } } });
    });
    after(() => server?.stop());
    afterEach(dropAll);

    /* Runs the chunk while another connection of the worker is echoed to. Gives
     * the longest that an echo took. */
    async function othersWait(code, kind) {
      const [bad, good] = [await Client.open(server), await Client.open(server)];
      const { pid } = await server.worker(0);
      const since = server.log.length;
      let isOver = false, worst = 0;
      const echoes = (async () => {
        for (let i = 0; !isOver; i++) {
          const waited = watch(pid);
          await good.send(`echo ${i}`).expect(`echo ${i}`);
          worst = Math.max(worst, waited());
        }
      })();
      /* No tail call: it would leave no frame to tell of. */
      bad.execute(`\nlocal function work()\n${code}\nend\nlocal result = work()\nlab.result = result`);
      await bad.expectClose(1011);
      isOver = true;
      await echoes;
      const [report] = await server.logged(/.*msg="script call failed".*\n/, since);
      assert.match(report, new RegExp(`kind=${kind}`));
      assert.match(report, /call=on_message/);
      assert.match(report, /chunk:[2-9]: /);
      assert.equal((await server.worker(0)).pid, pid, "the worker lives");
      await good.send("after").expect("after");
      return worst;
    }

    function costs(name, code, kind) {
      test(`${name} costs one call and its report`, () =>
        least("milliseconds that others waited", HALF_A_SECOND, () => othersWait(code, kind)));
    }

    costs("an endless loop", "while true do end", "budget");
    costs("an endless numeric loop", "for i = 1, math.huge do end", "budget");
    costs("a loop that counts", "local n = 0 while true do n = n + 1 end", "budget");
    costs("a loop around pcall", "while true do pcall(function() while true do end end) end", "budget");
    costs("a pcall around a loop", "pcall(function() while true do end end) conn:send 'caught' while true do end", "budget");
    costs("an xpcall around a loop", "while true do xpcall(function() while true do end end, function() while true do end end) end", "budget");
    costs("an error handler that does not end", "xpcall(error, function() while true do end end)", "budget");
    costs("a loop in a coroutine", "coroutine.wrap(function() while true do end end)()", "budget");
    costs("coroutines without end", "while true do coroutine.wrap(function() coroutine.yield() end)() end", "budget");
    costs("a loop that calls", "local function f(n) return n + 1 end local n = 0 while true do n = f(n) end", "budget");
    costs("a repeat of nothing", "repeat until false", "budget");
    costs("a goto without end", "::again:: goto again", "budget");
    costs("an iterator without end", "for _ in function() return 1 end do end", "budget");
    costs("a metamethod without end", "local t = setmetatable({}, { __index = function(t, k) while true do end end }) return t.x", "budget");
    costs("a sort with a bad comparison", "local t = {} for i = 1, 1e5 do t[i] = i end while true do table.sort(t, function(a, b) return a > b end) end", "budget");
    costs("a gsub without end", "while true do (('x'):rep(1000)):gsub('x', function() return 'y' end) end", "budget");
    costs("a loop that logs", "while true do tostring({}) end", "budget");
    costs("a pattern that backtracks", "return (('a'):rep(40)):find(('a?'):rep(40) .. ('a'):rep(40) .. 'b')", "budget");
    costs("a pattern of many stars", "return (('a'):rep(5000)):match('.-.-.-.-b')", "budget");
    costs("a loop after a wait", "tw.sleep(0.01) while true do end", "budget");
    costs("a loop that is spread over a hook's pieces", "for i = 1, 100 do local t = tw.clock() while tw.clock() - t < 0.02 do end tw.sleep(0) end", "budget");
    costs("a table that grows for ever", "local t = {} while true do t[#t + 1] = {} end", "(memory|budget)");
    costs("a table that doubles", "local t = { 1 } while true do for i = 1, #t do t[#t + 1] = i end end", "(memory|budget)");
    costs("a string that doubles", "local s = 'x' while true do s = s .. s end", "(memory|budget|error)");
    costs("string.rep of 2 GB", "return ('x'):rep(2 ^ 31)", "(memory|error|budget)");
    costs("string.rep of less than the limit, again and again", "local t = {} while true do t[#t + 1] = ('x'):rep(1e6 + #t) end", "(memory|budget)");
    costs("table.concat without end", "local t = {} for i = 1, 1e4 do t[i] = ('x'):rep(1e4) end return table.concat(t)", "(memory|budget|error)");
    costs("a recursion without end", "local function f() return 1 + f() end return f()", "(error|budget|memory)");
    costs("a recursion in pcall", "local function f() pcall(f) f() end return f()", "(error|budget|memory)");

    test("a loop in on_open, on_close and a timer is stopped, too", async () => {
      const probe = await Client.open(server);
      const opened = await Client.open(server, `/?open=${encodeURIComponent("while true do end")}`);
      await opened.expectClose(1011);
      const since = server.log.length;
      await probe.evaluate("tw.after(0, function() while true do end end)");
      await server.logged(/call=tw\.after.*kind=budget|kind=budget.*call=tw\.after/, since);
      await probe.evaluate("tw.spawn(function() while true do end end)");
      await server.logged(/call=(task|tw\.spawn).*kind=budget|kind=budget.*call=(task|tw\.spawn)/, since);
      const other = await Client.open(server);
      await probe.evaluate("lab.on_close = function() lab.on_close = nil while true do end end");
      await other.close();
      await server.logged(/call=on_close.*kind=budget|kind=budget.*call=on_close/, since);
      await probe.send("well").expect("well");
    });

    test("a loop in an HTTP handler is answered with 500", async () => {
      const response = await fetch(`http://127.0.0.1:${server.port}/run`, { method: "POST", body: "while true do end" });
      assert.equal(response.status, 500);
    });

    test("a loop in on_upgrade is answered with 500", async () => {
      await assert.rejects(Client.open(server, `/?upgrade=${encodeURIComponent("while true do end")}`), { status: 500 });
    });

    test("the budget is of CPU time: who waits is not stopped", async () => {
      const client = await Client.open(server);
      assert.equal(await client.value("for i = 1, 30 do tw.sleep(0.01) end return 'waited'"), "waited");
    });

    test("a stopped call does not stop the next one", async () => {
      for (let i = 0; i < 10; i++) {
        const [bad, good] = [await Client.open(server), await Client.open(server)];
        bad.execute("while true do end");
        for (let n = 0; n < 20; n++) {
          await good.send(`${n}`).expect(`${n}`);
        }
        await bad.expectClose(1011);
      }
    });

    test("calls that were stopped are counted", async () => {
      assert.ok((await server.metric("tidewire_hook_budget_exceeded_total")) > 10);
    });
  });
}
