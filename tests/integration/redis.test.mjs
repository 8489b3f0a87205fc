/* tw.redis with a real Redis: values both ways, logins, and what happens when
 * it dies, hangs or throws connections out.
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, afterEach, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Client, dropAll } from "./client.mjs";
import { run, Scripts, Server, until } from "./harness.mjs";
import { Redis } from "./redis.mjs";

const LAB = fileURLToPath(new URL("./lab.lua", import.meta.url));
const PATIENT = { timeout: 60, dead: 60, connect: 60 };

const later = [];

afterEach(async () => {
  dropAll();
  for (const undo of later.splice(0).reverse()) {
    await undo();
  }
});

async function connect(settings, env = {}) {
  const server = await Server.start(LAB, { settings: { redis: settings }, env });
  later.push(() => server.stop());
  return { server, client: await Client.open(server) };
}

async function serve(...args) {
  const redis = await Redis.start(...args);
  later.push(() => redis.stop());
  return redis;
}

const R = "local r = tw.redis() ";

describe("values", () => {
  let redis, server, client;
  before(async () => {
    redis = await Redis.start();
    server = await Server.start(LAB, { settings: { redis: { main: { url: redis.url, ...PATIENT } } } });
  });
  after(async () => {
    await server?.stop();
    await redis?.stop();
  });

  const gives = (name, code, ...expected) => test(name, async () => {
    client = await Client.open(server);
    assert.deepEqual(await client.evaluate(R + code), expected);
  });

  gives("a status is a string", "return r:call('SET', 'a', 'x')", "OK");
  gives("a string is one", "r:call('SET', 'b', 'x\\0y') return r:call('GET', 'b')", "x\0y");
  gives("nothing is nil without an error", "local v, err = r:call('GET', 'none') return v == nil, err == nil", true, true);
  gives("an integer is a number", "r:call('DEL', 'n') return r:call('INCRBY', 'n', 41) + 1", 42);
  gives("up to 2^53", "r:call('SET', 'n', '9007199254740992') return r:call('INCRBY', 'n', 0)", 9007199254740992);
  gives("beyond it is text", "r:call('SET', 'n', '9007199254740993') return r:call('INCRBY', 'n', 0)", "9007199254740993");
  gives("numbers and booleans are arguments", "r:call('DEL', 'l') r:call('RPUSH', 'l', 1, 1.5, true, false, 2^53) return table.concat(r:call('LRANGE', 'l', 0, -1), ' ')", "1 1.5 1 0 9007199254740992");
  gives("nothing in an array is false", "r:call('SET', 'a', 'x') return r:call('MGET', 'a', 'none', 'a')", ["x", false, "x"]);
  gives("arrays hold arrays", "return r:call('EVAL', 'return {1,{2,{3}},{}}', 0)[2][2][1]", 3);
  gives("an error has a code and says what Redis says", "r:call('SET', 'a', 'x') local v, err = r:call('LPUSH', 'a', 1) return v == nil, err.code, err.message:match '^WRONGTYPE' ~= nil", true, "invalid", true);
  gives("a pipeline gives all results", "local t = r:pipeline(function(p) p:call('SET', 'q', 5) p:call('GET', 'q') p:call('GET', 'none') p:call('LPUSH', 'q', 1) end) return #t, t[1], t[2], t[3], t[4].code", 4, "OK", "5", false, "invalid");
  gives("an empty pipeline gives none", "return #r:pipeline(function() end)", 0);
  gives("a transaction fits into a pipeline", "local t = r:pipeline(function(p) p:call 'MULTI' p:call('SET', 'm', 1) p:call('GET', 'm') p:call 'EXEC' end) return t[4][2]", "1");
  gives("the function may wait while it collects", "local t = r:pipeline(function(p) p:call 'PING' tw.sleep(0.001) p:call 'PING' end) return #t", 2);
  gives("a command that blocks is refused", "local ok, why = pcall(r.call, r, 'BLPOP', 'x', 0) return ok, tostring(why):match 'others use' ~= nil", false, true);
  gives("a transaction without an end is, too", "return (pcall(r.call, r, 'MULTI'))", false);
  gives("a table is no argument", "local ok, why = pcall(r.call, r, 'SET', 'k', {}) return ok, tostring(why):match 'argument 3 must be' ~= nil", false, true);
  gives("an unknown name raises", "local ok, why = pcall(tw.redis, 'other') return ok, tostring(why):match \"no Redis named 'other'\" ~= nil", false, true);

  test("a pipeline of 10,000", async () => {
    client = await Client.open(server);
    const code = `${R} local t, err = r:pipeline(function(p) for i = 1, 10000 do p:call("SET", "k" .. i, i) end end)
      if not t then return tostring(err) end
      local s = 0 for i = 1, #t do if t[i] == "OK" then s = s + 1 end end return s`;
    assert.deepEqual(await client.evaluate(code.replaceAll("\n", " ")), [10000]);
    assert.equal(await redis.cli("GET", "k10000"), "10000");
    assert.ok(await server.metric("tidewire_redis_answers_total") >= 10000);
    assert.equal(await server.metric("tidewire_redis_pending"), 0);
  });
});

describe("where it is", () => {
  const works = async (client) => assert.deepEqual(await client.evaluate(`${R} return r:call("PING")`), ["PONG"]);

  test("a password, which no log and no status holds", async () => {
    const redis = await serve("--requirepass", "hush-hush");
    const { server, client } = await connect({ main: { url: `redis://:hush-hush@127.0.0.1:${redis.port}/3`, ...PATIENT } });
    await works(client);
    await client.value(`${R} return r:call("SET", "k", "v")`);
    assert.equal(await redis.cli("-a", "hush-hush", "--no-auth-warning", "-n", "3", "GET", "k"), "v");
    assert.doesNotMatch(server.log + (await server.ask("/api/status")).body + (await server.metrics()), /hush-hush/);
  });

  test("an ACL user, with a password from a file", async () => {
    const redis = await serve();
    await redis.cli("ACL", "SETUSER", "app", "on", ">se:cr@t/", "~app:*", "+get", "+set", "+ping");
    const scripts = new Scripts({ secret: "se:cr@t/\n" });
    later.push(() => scripts.remove());
    const settings = { url: redis.url, user: "app", password_file: scripts.path("secret"), ...PATIENT };
    const { client } = await connect({ main: settings });
    await works(client);
    assert.deepEqual(await client.evaluate(`${R} return r:call("SET", "app:x", 1)`), ["OK"]);
    assert.match(await client.value(`${R} return select(2, r:call("SET", "x", 1)).message`), /^NOPERM/);
  });

  test("a Unix socket, named by a variable", async () => {
    const redis = await serve();
    const { client } = await connect({}, { TIDEWIRE_REDIS: `unix:${redis.path}` });
    await works(client);
  });

  test("a name that has to be looked up", async () => {
    const redis = await serve();
    const { client } = await connect({ main: { url: `redis://localhost:${redis.port}`, ...PATIENT } });
    await works(client);
  });

  test("TLS, where the certificate is for the host and signed by whom it should", async () => {
    const scripts = new Scripts();
    later.push(() => scripts.remove());
    const file = (name) => scripts.path(name);
    const openssl = (...args) => execFileSync("openssl", args, { stdio: "pipe" });
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
    for (const name of ["localhost", "other.test"]) {
      openssl("req", "-x509", ...key, "-subj", `/CN=${name}`, "-addext", `subjectAltName=DNS:${name}`, "-keyout", file(`${name}.key`), "-out", file(`${name}.pem`));
    }
    const tls = async (name) => {
      const redis = await serve("--tls-auth-clients", "no", "--tls-cert-file", file(`${name}.pem`), "--tls-key-file", file(`${name}.key`));
      await redis.cli("CONFIG", "SET", "port", "0", "tls-port", String(redis.port));
      return `rediss://localhost:${redis.port}`;
    };
    const settings = {
      main: { url: await tls("localhost"), ca: file("localhost.pem"), ...PATIENT },
      stranger: { url: await tls("localhost"), ca: file("other.test.pem") },
      misnamed: { url: await tls("other.test"), ca: file("other.test.pem") },
    };
    const { server, client } = await connect(settings);
    await works(client);
    /* More than a record, both ways. */
    assert.equal(await client.value(`${R} r:call("SET", "k", ("x"):rep(100000)) return #r:call("GET", "k")`), 100000);
    for (const name of ["stranger", "misnamed"]) {
      assert.equal(await client.value(`return select(2, tw.redis("${name}"):call("PING")).code`), "unavailable");
      await server.logged(new RegExp(`redis=${name}.*its certificate is not trusted`));
    }
  });

  test("a wrong password is told, without it", async () => {
    const redis = await serve("--requirepass", "right");
    const { server, client } = await connect({ main: { url: `redis://:wrong-one@127.0.0.1:${redis.port}` } });
    assert.equal(await client.value(`${R} return select(2, r:call("PING")).code`), "unavailable");
    await server.logged(/Redis is unavailable.*AUTH: WRONGPASS/);
    assert.doesNotMatch(server.log, /wrong-one/);
  });

  test("mistakes in the settings end the start, and show no password", async () => {
    const { code, stderr } = await run(["run", LAB, "--redis", "redis://:hush@/x", "--listen", "127.0.0.1:0"]);
    assert.equal(code, 2);
    assert.match(stderr, /redis\.main: /);
    assert.doesNotMatch(stderr, /hush/);
  });
});

describe("when it is away", () => {
  const code = `${R} local v, err = r:call("INCR", "n") return err and err.code or v`;
  const comesBack = (client) => until("calls are answered again", async () => typeof (await client.value(code)) === "number");

  test("killed and started again", async () => {
    const redis = await serve();
    const { server, client } = await connect({ main: redis.url });
    await comesBack(client);
    await redis.kill();
    await until("it is unavailable", async () => (await client.value(code)) === "unavailable");
    await redis.begin();
    await comesBack(client);
    assert.ok(await server.metric("tidewire_redis_broken_total") >= 1);
  });

  test("stopped for some seconds", async () => {
    const redis = await serve();
    const { server, client } = await connect({ main: { url: redis.url, timeout: 0.5, dead: 1, connect: 1 } });
    await comesBack(client);
    redis.signal("SIGSTOP");
    assert.match(await client.value(code), /^(timeout|unavailable)$/);
    await server.logged(/connection to Redis broke.*no answer for too long/);
    await until("it is unavailable", async () => (await client.value(code)) === "unavailable");
    redis.signal("SIGCONT");
    await comesBack(client);
  });

  test("its connections are thrown out again and again", async () => {
    const redis = await serve();
    const { client } = await connect({ main: { url: redis.url, ...PATIENT } });
    let done = 0, lost = 0;
    for (let i = 0; i < 5; i++) {
      await comesBack(client);
      done++;
      await redis.cli("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
      typeof (await client.value(code)) === "number" ? done++ : lost++;
    }
    await comesBack(client);
    /* Whatever was answered was done once. */
    const count = Number(await redis.cli("GET", "n"));
    assert.ok(count >= done, `${count} done, ${done} answered`);
    assert.ok(lost <= 5);
  });

  test("a hook that ends does not wait for it", async () => {
    const redis = await serve();
    const { server, client } = await connect({ main: { url: redis.url, ...PATIENT } });
    await comesBack(client);
    redis.signal("SIGSTOP");
    client.execute(`${R} r:call("PING")`);
    await server.hookWaits();
    await client.drop?.();
    redis.signal("SIGCONT");
    await server.hookWaits(0);
  });
});
