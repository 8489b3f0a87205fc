/* A client that hangs up while its hook waits: it is gone at once, and what it
 * said before is heard all the same.
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { close, next, text, upgrade, assertSwitched } from "../conformance/wire.mjs";
import { Scripts, Server, until } from "./harness.mjs";
import { Socket, cutAll, readResponse } from "./socket.mjs";

/* A hook that hears "wait" sleeps until its name is released, and then says
 * how its own calls went. What hooks saw is told by name. */
const APP = `
local tw = require "tidewire"
local seen, released = {}, {}

local function note(name, text)
    seen[name] = seen[name] or tw.json.array {}
    table.insert(seen[name], text)
end

local function outcome(ok, err)
    return ok and "fine" or err.code
end

local app = tw.app {
    on_open = function(conn, req)
        conn.state.name = req.query.name
        assert(conn:subscribe("room:" .. req.query.name))
        return conn:send "open"
    end,
    on_message = function(conn, msg)
        local name = conn.state.name
        note(name, "heard " .. msg.data)
        if msg.data == "wait" then
            while not released[name] do
                assert(tw.sleep(0.01))
            end
            note(name, "send " .. outcome(conn:send "late"))
            note(name, "subscribe " .. outcome(conn:subscribe "hall"))
        end
    end,
    on_close = function(conn, code, reason)
        local channels = table.concat(conn:channels(), ",")
        note(conn.state.name, ("closed %d %s %s"):format(code, reason, channels))
    end,
}

return tw.routes {
    ["/"] = app,
    ["/seen"] = function(req) return 200, seen[req.query.name] or tw.json.array {} end,
    ["/count"] = function(req) return 200, { count = assert(tw.channel("room:" .. req.query.name):count()) } end,
    ["POST /release"] = function(req) released[req.query.name] = true return 204 end,
}
`;

const scripts = new Scripts({ "main.lua": APP });
let server;
before(async () => {
  server = await Server.start(scripts.path());
});
after(async () => {
  await server?.stop();
  scripts.remove();
});
afterEach(cutAll);

const ask = async (path, method = "GET") => (await fetch(`http://127.0.0.1:${server.port}${path}`, { method })).text();
const seen = async (name) => JSON.parse(await ask(`/seen?name=${name}`));
const count = async (name) => JSON.parse(await ask(`/count?name=${name}`)).count;
const release = (name) => ask(`/release?name=${name}`, "POST");
const sees = (name, what) => until(`${name} sees '${what}'`, async () => (await seen(name)).some((line) => line.startsWith(what)));

/* A client whose hook waits. */
async function waiting(name) {
  const socket = await Socket.connect(server.port);
  await socket.write(upgrade(`/?name=${name}`));
  assertSwitched(await readResponse(socket));
  assert.match(await next(socket), /open/);
  assert.equal(await count(name), 1);
  await socket.write(text("wait"));
  await sees(name, "heard wait");
  return socket;
}

/* Gone for everybody, though its hook waits still; then all is heard. */
async function expectGone(name, ...rest) {
  await until(`${name} has left its channel`, async () => (await count(name)) === 0);
  assert.deepEqual(await seen(name), ["heard wait"]);
  await release(name);
  await sees(name, "closed");
  assert.deepEqual(await seen(name), ["heard wait", "send closed", "subscribe closed", ...rest]);
}

test("a client that shuts its sending side is gone while its hook waits", async () => {
  const socket = await waiting("half");
  socket.finish();
  assert.ok(await socket.isFinished(), "the server ends the connection before the hook has");
  await expectGone("half", "closed 1006  room:half");
});

test("what a client says before it hangs up is heard after the hook", async () => {
  const socket = await waiting("talks");
  await socket.write(Buffer.concat([text("one"), text("two")]));
  socket.finish();
  await expectGone("talks", "heard one", "heard two", "closed 1006  room:talks");
});

test("a client that does not wait for the answer to its close is told by its code", async () => {
  const socket = await waiting("leaves");
  await socket.write(Buffer.concat([text("bye"), close(4001, "enough")]));
  socket.finish();
  await expectGone("leaves", "heard bye", "closed 4001 enough room:leaves");
});

test("a reset is noticed as well", async () => {
  const socket = await waiting("breaks");
  socket.reset();
  await expectGone("breaks", "closed 1006  room:breaks");
});

test("a client that stays is answered by the hook that waited", async () => {
  const socket = await waiting("stays");
  assert.equal(await count("stays"), 1);
  await release("stays");
  assert.match(await next(socket), /late/);
  await sees("stays", "subscribe");
  assert.deepEqual(await seen("stays"), ["heard wait", "send fine", "subscribe fine"]);
});
