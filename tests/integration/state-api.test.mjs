/* History, presence, users and subscriptions as scripts use them, within one
 * worker and between two.
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Client, dropAll } from "./client.mjs";
import { Server, until } from "./harness.mjs";

const SCRIPT = fileURLToPath(new URL("./state.lua", import.meta.url));

const json = (client) => client.next().then(JSON.parse);

/* Publications of a channel that are told one after the other. */
async function publish(client, channel, ...texts) {
  let at;
  for (const text of texts) {
    at = await client.value(`return tw.publish("${channel}", "${text}", { wait = true })`);
  }
  return at;
}

const since = ({ epoch, offset }) => `{ since = { epoch = "${epoch}", offset = ${offset} } }`;

for (const workers of [1, 2]) {
  describe(`${workers} worker${workers > 1 ? "s" : ""}:`, () => {
    const far = workers - 1; // the slot of the second client
    let server, one, two, serial = 0;
    before(async () => {
      const settings = { limits: { presence_grace: 0.05 } };
      server = await Server.start(SCRIPT, { workers, settings });
    });
    after(() => server?.stop());
    afterEach(dropAll);

    /* A channel of its own for each test. */
    const fresh = (kind) => `${kind}:${workers}-${++serial}`;

    async function pair(path = "/") {
      one = await Client.onWorker(server, 0, path);
      two = await Client.onWorker(server, far, path);
    }

    /* Looking for the right worker takes connections that are dropped again:
     * where it counts how many a user has, they have none. */
    async function enter(user, slot, path = "/") {
      const client = await Client.onWorker(server, slot, path);
      client.send(`?0 return conn:login "${user}"`);
      return client;
    }

    const has = (client, user, count) => until(`${user} has ${count} connections`, async () =>
      (await client.value(`return #tw.user("${user}"):connections()`)) === count);

    describe("positions", () => {
      test("a publication that is waited for has one, and they grow", async () => {
        await pair();
        const channel = fresh("kept");
        const first = await publish(one, channel, "a");
        const second = await publish(two, channel, "b");
        assert.equal(first.offset, 1);
        assert.deepEqual(second, { epoch: first.epoch, offset: 2 });
        assert.match(first.epoch, /^.{1,16}$/);
      });

      test("a channel that keeps nothing has none", async () => {
        await pair();
        assert.deepEqual(await publish(one, fresh("plain"), "a"), { epoch: "", offset: 0 });
        assert.deepEqual(await two.value(`return conn:subscribe "${fresh("plain")}"`), { epoch: "", offset: 0, recovered: false, count: 0 });
      });

      test("who names his gets what he missed, then live ones", async () => {
        await pair();
        const channel = fresh("kept");
        const at = await publish(one, channel, "a", "b");
        await publish(two, channel, "c", "d");
        const sub = await two.value(`return conn:subscribe("${channel}", ${since(at)})`);
        assert.deepEqual(sub, { epoch: at.epoch, offset: 4, recovered: true, count: 2 });
        await publish(one, channel, "e");
        await two.expect("c", "d", "e");
        await two.expectNone();
      });

      test("who is up to date misses nothing", async () => {
        await pair();
        const channel = fresh("kept");
        const at = await publish(one, channel, "a");
        const sub = await two.value(`return conn:subscribe("${channel}", ${since(at)})`);
        assert.deepEqual(sub, { ...at, recovered: true, count: 0 });
        await two.expectNone();
      });

      test("who comes late may have the last ones", async () => {
        await pair();
        const channel = fresh("kept");
        await publish(one, channel, "a", "b", "c");
        const sub = await two.value(`return conn:subscribe("${channel}", { last = 2 })`);
        assert.equal(sub.count, 2);
        assert.equal(sub.offset, 3);
        await two.expect("b", "c");
      });

      const lost = [
        ["a foreign epoch", ({ offset }) => ({ epoch: "elsewhere", offset }), []],
        ["a position that is trimmed", ({ epoch }) => ({ epoch, offset: 1 }), [..."defgh"]],
        ["a position in the future", ({ epoch, offset }) => ({ epoch, offset: offset + 1 }), []],
        ["a foreign epoch, with last,", () => ({ epoch: "elsewhere", offset: 1 }), [..."gh"], "last = 2"],
      ];
      for (const [what, change, sent, more = ""] of lost) {
        test(`${what} is told, and it goes on live`, async () => {
          await pair();
          const channel = fresh("kept");
          const at = await publish(one, channel, ..."abcdefgh");
          const options = since(change(at)).replace(/\}$/, `, ${more} }`);
          const sub = await two.value(`return conn:subscribe("${channel}", ${options})`);
          assert.deepEqual(sub, { ...at, recovered: false, count: sent.length });
          await publish(one, channel, "live");
          await two.expect(...sent, "live");
          await two.expectNone();
        });
      }

      test("what is no position raises", async () => {
        await pair();
        await assert.rejects(one.evaluate(`conn:subscribe("kept:x", { since = { epoch = "a" } })`), /since needs an epoch and an offset/);
      });
    });

    describe("publishing", () => {
      test("the same id twice is one publication", async () => {
        await pair();
        const channel = fresh("kept");
        await two.value(`return conn:subscribe "${channel}"`);
        const code = `return tw.publish("${channel}", "order", { id = "1", wait = true })`;
        const first = await one.value(code);
        assert.deepEqual(await two.value(code), first);
        await publish(one, channel, "end");
        await two.expect("order", "end");
      });

      test("history = false passes by what is kept", async () => {
        await pair();
        const channel = fresh("kept");
        await two.value(`return conn:subscribe "${channel}"`);
        assert.equal((await publish(one, channel, "a")).offset, 1);
        await one.value(`return tw.publish("${channel}", "typing", { history = false, wait = true })`);
        assert.equal((await publish(one, channel, "b")).offset, 2);
        await two.expect("a", "typing", "b");
        assert.deepEqual(await one.value(`local t = {} for i, e in ipairs(tw.channel("${channel}"):history().publications) do t[i] = e.data end return t`), ["a", "b"]);
      });
    });

    describe("what is kept", () => {
      const history = (client, channel, options = "{}") => client.value(`
        local list = assert(tw.channel("${channel}"):history(${options}))
        local result = { epoch = list.epoch, offset = list.offset, recovered = list.recovered, items = tw.json.array {} }
        for i, e in ipairs(list.publications) do result.items[i] = e.offset .. e.data .. (e.key or "") .. (e.binary and "!" or "") end
        return result`);

      test("is read in either direction, in pages", async () => {
        await pair();
        const channel = fresh("long");
        const { epoch } = await publish(one, channel, ..."abcde");
        const all = await history(two, channel);
        assert.deepEqual(all.items, ["1a", "2b", "3c", "4d", "5e"]);
        assert.deepEqual([all.epoch, all.offset], [epoch, 5]);
        assert.deepEqual((await history(two, channel, "{ limit = 2, reverse = true }")).items, ["5e", "4d"]);
        const page = await history(two, channel, `{ limit = 2, since = { epoch = "${epoch}", offset = 1 } }`);
        assert.deepEqual([page.items, page.recovered], [["2b", "3c"], true]);
        const back = await history(one, channel, `{ reverse = true, since = { epoch = "${epoch}", offset = 3 } }`);
        assert.deepEqual(back.items, ["2b", "1a"]);
        assert.equal((await history(one, channel, `{ since = { epoch = "foreign", offset = 3 } }`)).recovered, false);
      });

      test("has keys and kinds, and no more than the class says", async () => {
        await pair();
        const channel = fresh("kept");
        await one.value(`return tw.publish("${channel}", "k", { key = "key", wait = true })`);
        await one.value(String.raw`return tw.publish("${channel}", "\1", { binary = true, wait = true })`);
        assert.deepEqual((await history(two, channel)).items, ["1kkey", "2\u0001!"]);
        await publish(one, channel, ..."abcde");
        assert.equal((await history(two, channel)).items.length, 5);
      });

      test("is nothing where the class keeps nothing", async () => {
        await pair();
        assert.deepEqual((await history(two, fresh("plain"))).items, []);
      });

      test("the newest of every key is there for who comes late", async () => {
        await pair();
        const channel = fresh("values");
        const say = (key, text) => one.value(`return tw.publish("${channel}", "${text}", { key = "${key}", wait = true })`);
        await say("cpu", "1");
        await say("ram", "2");
        await say("cpu", "3");
        const sub = await two.value(`return conn:subscribe "${channel}"`);
        assert.equal(sub.count, 2);
        assert.deepEqual((await two.take(2)).sort(), ["2", "3"]);
        assert.deepEqual(await two.value(`return tw.channel("${channel}"):latest "cpu"`), { offset: 3, data: "3", key: "cpu", binary: false });
        assert.deepEqual(await two.evaluate(`return tw.channel("${channel}"):latest "none"`), [null]);
        assert.equal(await two.value(`return tw.channel("${channel}"):remove "cpu"`), true);
        await until("it is forgotten", async () => (await one.evaluate(`return tw.channel("${channel}"):latest "cpu"`))[0] === null);
      });
    });

    describe("presence", () => {
      test("lists who is there, each person once", async () => {
        await pair("/?user=ann");
        const channel = fresh("list");
        await one.value(`return conn:subscribe("${channel}", { info = "first" })`);
        await two.value(`return conn:subscribe("${channel}", { info = { device = 2 } })`);
        const bob = await Client.onWorker(server, far, "/?user=bob");
        await bob.value(`return conn:subscribe "${channel}"`);
        const code = `local p = tw.channel("${channel}"):presence()
          local by = {} for _, m in ipairs(p.members) do by[m.user] = { info = m.info, connections = m.connections } end
          return { count = p.count, connections = p.connections, by = by }`;
        await until("all are there", async () => (await one.value(code)).by.bob);
        assert.deepEqual(await one.value(code), {
          count: 2,
          connections: 3,
          by: { ann: { info: { device: 2 }, connections: 2 }, bob: { connections: 1 } },
        });
        assert.equal((await one.value(`return #tw.channel("${channel}"):presence { limit = 1 }.members`)), 1);
      });

      test("counts where only that is asked for, and says where there is none", async () => {
        await pair();
        const channel = fresh("count");
        await one.value(`return conn:subscribe "${channel}"`);
        await two.value(`return conn:subscribe "${channel}"`);
        assert.deepEqual(await one.value(`local p = tw.channel("${channel}"):presence() return { p.connections, #p.members }`), [2, 0]);
        const [, error] = await one.evaluate(`return tw.channel("${fresh("plain")}"):presence()`);
        assert.equal(error.code, "invalid");
      });

      test("tells joins and leaves in the script's words", async () => {
        await pair("/?user=ann");
        const channel = fresh("events");
        await one.value(`return conn:subscribe "${channel}"`);
        /* Its own coming may be told to it, too. */
        const told = async (client, pick) => {
          for (;;) {
            const news = await json(client);
            if (pick(news)) {
              return news;
            }
          }
        };
        const bob = await Client.onWorker(server, far, "/?user=bob");
        await bob.value(`return conn:subscribe "${channel}"`);
        const came = await told(one, (news) => news.came?.includes("bob"));
        assert.deepEqual([came.channel, came.count], [channel, 2]);
        bob.drop();
        const went = await told(one, (news) => news.went?.includes("bob"));
        assert.equal(went.count, 1);
      });
    });

    describe("a user", () => {
      test("is sent to on all devices", async () => {
        one = await enter("direct", 0);
        two = await enter("direct", far);
        await has(one, "direct", 2);
        await Promise.all([one.next(), two.next()]); // what login answered
        assert.equal(await two.value(`return tw.user("direct"):send { hello = 1 }`), true);
        assert.deepEqual(await json(one), { hello: 1 });
        assert.deepEqual(await json(two), { hello: 1 });
      });

      test("has a channel of its own where a class says so", async () => {
        await pair("/?user=kim");
        for (const client of [one, two]) {
          await until("it is subscribed", () => client.value(`return conn:subscribed "user:kim"`));
        }
        const at = await two.value(`return tw.user("kim"):send("kept", { wait = true, key = "k" })`);
        await one.expect("kept");
        await two.expect("kept");
        one.drop();
        two.drop();
        const bob = await Client.onWorker(server, 0);
        await bob.value(`return tw.user("kim"):send("missed", { wait = true })`);
        assert.deepEqual(await bob.value(`local e = tw.channel("user:kim"):history().publications[2] return { e.offset, e.data }`), [at.offset + 1, "missed"]);
        await assert.rejects(bob.evaluate(`return tw.user("direct"):send("x", { wait = true })`), /wait needs a class/);
      });

      test("has connections that are known and acted on", async () => {
        one = await enter("eve", 0);
        await has(one, "eve", 1);
        two = await enter("eve", far);
        const bob = await Client.onWorker(server, 0);
        await has(bob, "eve", 2);
        await Promise.all([one.next(), two.next()]); // what login answered
        const ids = [await one.value("return conn.id"), await two.value("return conn.id")];
        const list = await bob.value(`local list = {} for i, c in ipairs(tw.user("eve"):connections()) do
          list[i] = { id = c.id, slot = c.slot, ip = c.ip, node = c.node == tw.node.id, old = tw.now() - c.opened, idle = c.idle, same = c == tw.conn(c.id) }
        end return list`);
        assert.deepEqual(new Map(list.map(({ id, slot }) => [id, slot])), new Map([[ids[0], 0], [ids[1], far]]));
        for (const { ip, node, old, idle, same } of list) {
          assert.deepEqual([ip, node, same], ["127.0.0.1", true, true]);
          assert.ok(old > -1 && old < 600 && idle >= 0 && idle < 600);
        }
        assert.equal(await bob.value(`return tw.conn("${ids[1]}"):send "remote"`), true);
        await two.expect("remote");
        const channel = fresh("plain");
        await bob.value(`return tw.user("eve"):subscribe "${channel}"`);
        await until("both are subscribed", async () => (await bob.value(`return tw.channel("${channel}"):count()`)) === 2);
        await bob.value(`return tw.conn("${ids[1]}"):unsubscribe "${channel}"`);
        assert.deepEqual(await json(two), { ended: channel, reason: "remote" });
        await bob.value(`return tw.user("eve"):unsubscribe "${channel}"`);
        assert.deepEqual(await json(one), { ended: channel, reason: "remote" });
        await bob.value(`return tw.conn("${ids[1]}"):close(4001, "go")`);
        await two.expectClose(4001, "go");
        await bob.value(`return tw.user("eve"):disconnect(4002, "all")`);
        await one.expectClose(4002, "all");
        assert.deepEqual(await bob.value(`return #tw.user("nobody"):connections()`), 0);
      });

      test("has so many connections as the app allows", async () => {
        const first = await enter("many", 0, "/two");
        await first.value("return tw.sleep(0.05)"); // clocks differ by then
        const second = await enter("many", far, "/two");
        await has(second, "many", 2);
        const third = await enter("many", far, "/two");
        await first.expectClose(3006);
        await has(third, "many", 2);
        assert.ok(second.isOpen && third.isOpen);
        const only = await enter("single", 0, "/first");
        await has(only, "single", 1);
        const late = await enter("single", far, "/first");
        await late.expectClose(3006);
        assert.ok(only.isOpen);
      });

      test("may be somebody whose id cannot be", async () => {
        await pair();
        const [, error] = await one.evaluate(`return tw.conn("nobody"):send "x"`);
        assert.equal(error.code, "invalid");
        assert.equal(await one.value(`return tw.conn(("A"):rep(22)):send "x"`), true);
      });
    });

    describe("the end of a subscription", () => {
      test("is told with its reason", async () => {
        await pair();
        const [kept, ended] = [fresh("plain"), fresh("plain")];
        await one.value(`conn:subscribe "${kept}" conn:subscribe "${ended}" return conn:unsubscribe "${ended}"`);
        assert.deepEqual(await json(one), { ended, reason: "unsubscribed" });
        const id = await one.value("return conn.id");
        await one.close();
        const other = await Client.onWorker(server, 0);
        await until("the hook has run", () => other.value(`for _, e in ipairs(lab.ended) do
          if e.id == "${id}" and e.channel == "${kept}" then return e.reason end end return ""`).then((reason) => reason === "closed"));
      });
    });

    describe("tw.subscribe", () => {
      test("hears in every worker what anybody publishes", async () => {
        await pair();
        const text = fresh("text");
        for (const client of [one, two]) {
          await until("it is heard", async () => {
            await one.value(`return tw.publish("listen:all", "${text}", { key = "k" })`);
            return (await client.value(`for _, h in ipairs(lab.heard) do
              if h.data == "${text}" then return h.channel .. h.key end end return ""`)) === "listen:allk";
          });
        }
      });

      test("may be begun and ended by a hook", async () => {
        await pair();
        const channel = fresh("plain");
        await one.value(`lab.mine, lab.sub = {}, tw.subscribe("${channel}", function(msg) table.insert(lab.mine, msg.data) end) return true`);
        await until("it is heard", async () => {
          await two.value(`return tw.publish("${channel}", "a", { wait = true })`);
          return (await one.value("return #lab.mine")) > 0;
        });
        const count = await one.value("lab.sub:cancel() return #lab.mine");
        await publish(two, channel, "b");
        await publish(one, channel, "c");
        assert.equal(await one.value("return #lab.mine"), count);
      });

      test("misses nothing over a reload", async () => {
        await pair();
        const clients = workers > 1 ? [one, two] : [one];
        for (const [slot, client] of clients.entries()) {
          await client.value(`return conn:subscribe "heard:${slot}"`);
          await until("it listens", async () => (await publish(one, "kept:listen", "probe"), client.pending > 0));
        }
        const { offset } = await publish(one, "kept:listen", ..."abcdefghij");
        assert.equal((await server.reload()).status, 200);
        await publish(two, "kept:listen", ..."klmno");
        for (const client of clients) {
          const heard = [];
          while (heard.length < 15) {
            const one = await json(client);
            one.data !== "probe" && heard.push(one);
          }
          heard.sort((a, b) => a.offset - b.offset);
          assert.deepEqual(heard.map(({ data }) => data), [..."abcdefghijklmno"]);
          assert.equal(heard[9].offset, offset);
          await client.expectNone();
        }
      });
    });

    test("the death of a channel's home is told, with the position", { skip: workers < 2 }, async () => {
      await pair();
      const channels = Array.from({ length: 16 }, () => fresh("kept"));
      const positions = new Map();
      for (const channel of channels) {
        await one.value(`return conn:subscribe "${channel}"`);
        positions.set(channel, await publish(one, channel, "before"));
        await one.expect("before");
      }
      const { pid } = await server.worker(1);
      process.kill(pid, "SIGKILL");
      const { gap, since: lost } = await json(one);
      assert.deepEqual(lost, positions.get(gap));
      await server.replaced(1, pid);
      await until("it is published again", async () => {
        const [at] = await one.evaluate(`return tw.publish("${gap}", "after", { wait = true })`);
        return at !== null && (assert.notEqual(at.epoch, lost.epoch), true);
      });
      while ((await one.next()) !== "after") {
        continue; // gaps of other channels
      }
    });

    test("a reload keeps what is kept and who is there", async () => {
      await pair("/?user=ann");
      const [kept, people] = [fresh("kept"), fresh("events")];
      const at = await publish(one, kept, "a", "b");
      await one.value(`return conn:subscribe "${people}"`);
      await two.value(`return conn:subscribe "${people}"`);
      assert.equal((await server.reload()).status, 200);
      await publish(two, kept, "c");
      const sub = await two.value(`return conn:subscribe("${kept}", ${since(at)})`);
      assert.deepEqual([sub.recovered, sub.count, sub.epoch], [true, 1, at.epoch]);
      assert.equal(await one.value(`return tw.channel("${people}"):presence().connections`), 2);
      const bob = await Client.onWorker(server, far, "/?user=bob");
      await bob.value(`return conn:subscribe "${people}"`);
      const generation = await bob.value("return tw.generation");
      await until("the new generation's words", async () => {
        const news = await json(one);
        return news.came?.includes("bob") && news.generation === generation;
      });
    });
  });
}
