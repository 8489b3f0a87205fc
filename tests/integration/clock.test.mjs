/* The wall clock is set forward and back by a day while servers run: what is
 * due comes neither early nor late, and tw.now() follows. A preloaded shim is
 * the clock, see shim_clock.c; its path is in TW_SHIM_CLOCK.
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { closeSync, openSync, writeSync } from "node:fs";
import { after, afterEach, describe, test } from "node:test";
import { text, upgrade } from "../conformance/wire.mjs";
import { Client, dropAll } from "./client.mjs";
import { Scripts, Server, until } from "./harness.mjs";
import { Socket, cutAll, readResponse } from "./socket.mjs";

const DAY = 86_400, HOUR = 3600;

/* Clients run Lua in on_message, as those of lab.lua do. */
const SCRIPT = `
local tw = require "tidewire"
local lab = { fired = tw.json.array {} }

function lab.fire(name) return function() table.insert(lab.fired, name) end end

tw.channels { ["batch:*"] = { batch = 0.5 } }

local function evaluate(conn, msg)
    local serial, code = msg.data:match "^%?(%d+) (.*)$"
    local chunk = assert(loadstring("local conn, tw, lab = ...\\n" .. code))
    conn:send("=" .. serial .. " " .. tw.json.encode { results = tw.json.array { chunk(conn, tw, lab) } })
end

local function app(options)
    options.on_upgrade = function(req) return { expires = tonumber(req.query.expires) } end
    options.on_message = evaluate
    options.on_alarm = function(conn, name) table.insert(lab.fired, name) conn:send(name) end
    options.ping, options.idle = options.ping or 7200, options.idle or 14400
    options.drain = options.drain or { spread = 0 }
    return tw.app(options)
end

return tw.routes {
    ["/"] = app {},
    ["/pinged"] = app { ping = 0.3 },
    ["/mute"] = app { idle = 1 },
    ["/spread"] = app { drain = { spread = 1 } },
    ["GET /hello"] = function() return 200, "hello" end,
    ["GET /slow"] = function() local ok = tw.sleep(7200) return ok and 200 or 504 end,
}
`;

const scripts = new Scripts({ "main.lua": SCRIPT });
const clock = openSync(scripts.path("clock"), "w");
let server;

function set(seconds) {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(BigInt(seconds));
  writeSync(clock, bytes, 0, 8, 0);
}

/* A sanitizer minds that something is loaded before it. */
const env = () => ({
  LD_PRELOAD: process.env.TW_SHIM_CLOCK,
  TW_CLOCK_FILE: scripts.path("clock"),
  ASAN_OPTIONS: `${process.env.ASAN_OPTIONS ?? ""}:verify_asan_link_order=0`,
});

async function start(options) {
  set(0);
  server = await Server.start(scripts.path(), { env: env(), ...options });
}

/* Whether the server's clock is `seconds` ahead of the one here. */
async function assertAhead(client, seconds) {
  const now = await client.value("return tw.now()");
  assert.ok(Math.abs(now - Date.now() / 1000 - seconds) < HOUR, `${now} is not ${seconds} s ahead of ${Date.now() / 1000}`);
}

/* Sets the clock, and sees that the server has a time after that. */
async function jump(client, seconds) {
  const before = await client.value("return tw.clock()");
  set(seconds);
  await assertAhead(client, seconds);
  assert.equal(await client.value("for i = 1, 5 do assert(tw.sleep(0.05)) end return true"), true);
  const passed = (await client.value("return tw.clock()")) - before;
  assert.ok(passed >= 0.25 && passed < HOUR, `tw.clock() went on by ${passed} s`);
}

async function socketAt(path) {
  const socket = await Socket.connect(server.port);
  await socket.write(upgrade(path));
  assert.equal((await readResponse(socket)).status, 101);
  return socket;
}

/* A connection that has said so much and no more. */
async function begun(bytes) {
  const socket = await Socket.connect(server.port);
  await socket.write(bytes);
  return socket;
}

const GET = (path) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;

async function kept() {
  const socket = await begun(GET("/hello"));
  assert.equal((await readResponse(socket)).status, 200);
  return socket;
}

/* A frame without its end. */
async function frameBegun() {
  const socket = await socketAt("/");
  await socket.write(text("all of it").subarray(0, 8));
  return socket;
}

/* One that the server closes, and that does not answer. */
async function closing(path = "/") {
  const socket = await socketAt(path);
  await socket.write(text("?1 conn:close(4000)"));
  await socket.read(4);
  return socket;
}

afterEach(async () => {
  dropAll();
  cutAll();
  await server?.stop();
  server = null;
});
after(() => {
  dropAll();
  closeSync(clock);
  scripts.remove();
});

test("the shim is there", () => {
  assert.ok(process.env.TW_SHIM_CLOCK, "TW_SHIM_CLOCK is not set: run this by ctest");
});

describe("nothing comes early", () => {
  const NEVER = ["connections_closed_total", "connections_closed_idle_total", "connections_closed_frame_total", "handshake_timeouts_total", "http_idle_closed_total", "hook_timeouts_total", "timer_skips_total", "pings_sent_total", "restarts_total", "hangs_total"];

  test("when the clock is set forward by a day, back by two, and right again", async () => {
    /* Less than a day, and more than this can take. */
    const far = { handshake: HOUR, http_idle: HOUR, http_handler: HOUR, frame: HOUR, close: HOUR, stall: HOUR };
    await start({ workers: 2, args: ["--drain", "1s"], settings: { limits: far, lua: { wait: HOUR }, hang: { wall: HOUR } } });
    const client = await Client.open(server);
    await client.value(`
      tw.after(3600, lab.fire "after")
      tw.every(3600, lab.fire "every")
      conn:alarm(3600, "alarm")
      tw.spawn(function() tw.sleep(3600) lab.fire "sleep" () end)
      return true`);
    const waiting = await Client.open(server);
    const slept = waiting.evaluate("return (tw.sleep(3600))").then(() => assert.fail("slept for an hour"), () => {});
    const quiet = await Client.open(server, "/?expires=3600");
    const sockets = {
      mute: await socketAt("/"),
      frame: await frameBegun(),
      head: await begun("GET /hello HTTP/1.1\r\nHo"),
      kept: await kept(),
      handler: await begun(GET("/slow")),
    };
    const [{ pid }] = (await server.status()).workers;
    for (const seconds of [DAY, -DAY, 0]) {
      await jump(client, seconds);
      assert.deepEqual(await client.value("return lab.fired"), []);
      for (const [name, socket] of Object.entries(sockets)) {
        assert.ok(!socket.isEnded && socket.pending === 0, `the ${name} connection was told something`);
      }
      assert.ok(quiet.isOpen && waiting.isOpen);
      const metrics = await server.metrics();
      for (const name of NEVER) {
        assert.equal(await server.metric(`tidewire_${name}`, "", metrics), 0, name);
      }
      assert.equal((await server.worker(0)).pid, pid);
    }
    assert.equal((await server.reload()).status, 200);
    await assertAhead(client, 0);
    dropAll();
    await slept;
  });
});

describe("nothing comes late", () => {
  for (const [how, seconds] of [["forward", DAY], ["back", -DAY]]) {
    test(`when the clock is set ${how} by a day`, async () => {
      const near = { handshake: 5, http_idle: 5, http_handler: 3, frame: 5, close: 5 };
      await start({ workers: 2, settings: { limits: near, lua: { wait: 6 } } });
      const client = await Client.open(server);
      const pinged = await Client.open(server, "/pinged");
      const waiting = await Client.open(server);
      const subscriber = await Client.open(server);
      await subscriber.value('return conn:subscribe("batch:1")');
      const due = {
        mute: await socketAt("/mute"),
        frame: await frameBegun(),
        closing: await closing(),
        head: await begun("GET /hello HTTP/1.1\r\nHo"),
        handler: await begun(GET("/slow")),
        kept: await kept(),
      };
      const expiring = await Client.open(server, "/?expires=2");
      await client.value(`
        tw.after(1, lab.fire "after")
        tw.every(0.5, function() lab.ticks = (lab.ticks or 0) + 1 end)
        conn:alarm(1, "alarm")
        tw.spawn(function() tw.sleep(1) lab.fire "sleep" () end)
        return tw.publish("batch:1", "batched")`);
      const waited = waiting.evaluate("local ok, err = tw.sleep(7200) return err.code");
      const pings = pinged.pings;
      await jump(client, seconds);
      await Promise.all([
        client.expect("alarm"),
        subscriber.expect("batched"),
        expiring.expectClose(3005),
        waited.then((results) => assert.deepEqual(results, ["timeout"])),
        readResponse(due.head).then(({ status }) => assert.equal(status, 408)),
        readResponse(due.handler).then(({ status }) => assert.ok(status === 503 || status === 504, `${status}`)), // whichever limit is first
        ...["mute", "frame", "closing", "kept"].map((name) => due[name].readAll()),
        until("all timers ran", async () => {
          const [fired, ticks] = await client.evaluate("return lab.fired, lab.ticks");
          return ticks >= 3 && fired.length === 3;
        }),
        until("pings were sent", () => pinged.pings >= pings + 2),
      ]);
      for (const name of ["connections_closed_idle_total", "connections_closed_frame_total", "handshake_timeouts_total", "http_idle_closed_total", "hook_timeouts_total"]) {
        await until(name, async () => (await server.metric(`tidewire_${name}`)) >= 1);
      }
      assert.equal((await server.reload()).status, 200);
      await assertAhead(client, seconds);
    });
  }
});

describe("a drain", () => {
  const turns = async () => (await server.metric("tidewire_turn_seconds_count"));

  test("is not cut short when the clock is set forward", async () => {
    await start({ settings: { limits: { close: HOUR } }, args: ["--drain", "3600s"] });
    const socket = await socketAt("/");
    server.signal("SIGTERM");
    assert.equal((await socket.read(4)).readUInt16BE(2), 1012);
    set(DAY);
    const before = await turns();
    await until("the drain goes on", async () => (await turns()) > before + 10);
    assert.ok(!socket.isEnded);
    socket.finish();
    await server.ended(0);
    server = null;
  });

  test("ends in time when the clock is set back", async () => {
    await start({ settings: { limits: { close: 2 } } });
    const client = await Client.open(server, "/spread");
    const socket = await socketAt("/");
    server.signal("SIGTERM");
    assert.equal((await socket.read(4)).readUInt16BE(2), 1012);
    set(-DAY);
    await client.expectClose(1012);
    await socket.readAll(); // it never answered
    await server.ended(0);
    server = null;
  });
});
