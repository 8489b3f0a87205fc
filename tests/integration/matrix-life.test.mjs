/* Every hook of a generation's life times everything that it may do wrong:
 * what it does to the reload, and that connections do not notice.
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { Client, dropAll } from "./client.mjs";
import { Scripts, Server } from "./harness.mjs";

/* In save, restore and migrate to wait or to publish is to raise. */
const FAULTS = { raise: "error", memory: "memory", time: "budget" };

/* The file "plan" names a hook and what it does; the rest are well-behaved. */
const script = (plan) => `
local tw = require "tidewire"
local conns = {}
local acts = {}
function acts.raise() error "on purpose" end
function acts.refuse() return nil, tw.error("denied", "on purpose") end
function acts.publish() assert(tw.publish("news", "published")) end
function acts.close() for _, conn in pairs(conns) do conn:close(4002, "other") end end
function acts.subscribe() for _, conn in pairs(conns) do conn:subscribe "more" end tw.publish("news", "subscribed") end
function acts.wait() local _, err = tw.sleep(1e6) tw.publish("news", "waited " .. (err and err.code or "")) end
function acts.memory() local all = {} while true do all[#all + 1] = ("x"):rep(1000000) .. #all end end
function acts.time() while true do acts.count = (acts.count or 0) + 1 end end
local function act(hook)
    local plan = tw.file.read ${JSON.stringify(plan)} or ""
    local name = plan:match("^" .. hook .. " (%a+)")
    if name then
        local result, err = acts[name]()
        return result, err
    end
end
return tw.app {
    drain = { spread = 0 },
    version = tw.generation,
    on_start = function() act "on_start" end,
    on_stop = function() act "on_stop" end,
    save = function() act "save" return { n = 1 } end,
    restore = function() act "restore" end,
    migrate = function(state) act "migrate" return state end,
    on_open = function(conn)
        conns[conn.id] = conn
        conn.state.n = 1
        return conn:subscribe "news"
    end,
    on_close = function(conn) conns[conn.id] = nil end,
    on_message = function(conn, msg) conn:send(msg) end,
}
`;

let server, files, pid;

before(async () => {
  files = new Scripts({ plan: "" });
  files.write("main.lua", script(files.path("plan")));
  server = await Server.start(files.path(), {
    settings: { files: [files.path("plan")], lua: { memory: "16MiB", budget: 0.3, wait: 3, retire: 300 } },
  });
  ({ pid } = await server.worker(0));
});
after(async () => {
  await server?.stop();
  files.remove();
});
afterEach(dropAll);

async function connect() {
  const client = await Client.open(server);
  await client.send("open").expect("open");
  return client;
}

/* A reload in which `hook` does `act`. */
async function reload(hook, act) {
  files.write("plan", `${hook} ${act}`);
  const { status, body } = await server.reload();
  return { status, message: status === 200 ? "" : JSON.parse(body).error.message };
}

async function well() {
  files.write("plan", "");
  const { status, body } = await server.reload();
  assert.equal(status, 200, body);
  const client = await connect();
  await client.send("well").expect("well");
  assert.equal((await server.worker(0)).pid, pid, "the worker lives");
}

async function reported(hook, act, since) {
  const [line] = await server.logged(new RegExp(`msg="script call failed".*call=${hook}\\b.*|call=${hook}\\b.*msg="script call failed".*`), since);
  assert.match(line, new RegExp(`kind=${FAULTS[act]}`));
  assert.match(line, /main\.lua:\d+/);
}

describe("the reload is refused", () => {
  for (const hook of ["save", "restore"]) {
    for (const act of ["raise", "memory", "time", "wait", "publish"]) {
      test(`when ${hook} does it: ${act}`, async () => {
        const client = await connect();
        const { generation } = await server.status();
        const { status, message } = await reload(hook, act);
        assert.equal(status, 422, message);
        assert.match(message, new RegExp(hook), "the reason names the hook");
        assert.match(message, /main\.lua:\d+/, "and the place");
        assert.equal((await server.status()).generation, generation);
        await client.send("on").expect("on");
        await well();
        await client.send("and on").expect("and on");
      });
    }
  }
});

describe("the reload is done and it is reported", () => {
  for (const hook of ["on_start", "on_stop"]) {
    for (const act of Object.keys(FAULTS)) {
      test(`when ${hook} does it: ${act}`, async () => {
        const client = await connect();
        const since = server.log.length;
        assert.equal((await reload(hook, act)).status, 200);
        await reported(hook, act, since);
        await client.send("on").expect("on");
        await well();
      });
    }
  }
});

describe("the reload is done", () => {
  const told = { publish: "published", wait: "waited timeout", subscribe: "subscribed" };
  for (const hook of ["on_start", "on_stop"]) {
    for (const act of ["refuse", ...Object.keys(told)]) {
      test(`when ${hook} does it: ${act}`, async () => {
        const client = await connect();
        assert.equal((await reload(hook, act)).status, 200);
        if (told[act]) {
          await client.expect(told[act]);
        }
        await client.send("on").expect("on");
        await well();
      });
    }
  }

  /* The new generation has not met the connection; the old one has. */
  test("when on_stop does it: close", async () => {
    const client = await connect();
    assert.equal((await reload("on_stop", "close")).status, 200);
    await client.expectClose(4002, "other");
    await well();
  });

  for (const hook of ["save", "restore"]) {
    test(`when ${hook} does it: refuse`, async () => {
      const client = await connect();
      const { status, message } = await reload(hook, "refuse");
      assert.equal(status, 200, message);
      await client.send("on").expect("on");
      await well();
    });
  }
});

describe("the connection of it is closed", () => {
  for (const act of ["raise", "memory", "time", "wait", "publish"]) {
    test(`when migrate does it: ${act}`, async () => {
      const client = await connect();
      const since = server.log.length;
      assert.equal((await reload("migrate", act)).status, 200);
      const young = await connect();
      client.send("and mine");
      await client.expectClose(1011);
      await reported("migrate", act in FAULTS ? act : "raise", since);
      await young.send("on").expect("on");
      await well();
      await young.send("and on").expect("and on");
    });
  }

  test("but not when migrate does it: refuse", async () => {
    const client = await connect();
    assert.equal((await reload("migrate", "refuse")).status, 200);
    await client.send("on").expect("on");
    await well();
  });
});
