/* Every hook times everything that a hook may do wrong, or do at all: what it
 * costs, and that it costs nobody else anything.
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Client, Refused, dropAll } from "./client.mjs";
import { Scripts, Server, until } from "./harness.mjs";

const SCRIPT = fileURLToPath(new URL("./matrix.lua", import.meta.url));
const FAULTS = { raise: "error", memory: "memory", time: "budget" };
const COUNTERS = {
  raise: "tidewire_hook_errors_total",
  memory: "tidewire_hook_memory_exceeded_total",
  time: "tidewire_hook_budget_exceeded_total",
  wait: "tidewire_hook_timeouts_total",
};

let server, good, other, otherId, pid, serial = 0;
const gate = new Scripts({ open: "" });

async function start(settings = {}) {
  server = await Server.start(SCRIPT, {
    settings: {
      files: [gate.path("open")],
      limits: { publication_budget: "64KiB" },
      ...settings,
      lua: { memory: "16MiB", budget: 0.3, ...settings.lua },
    },
  });
  ({ pid } = await server.worker(0));
}

const path = (query) => `/?${new URLSearchParams(query)}`;

async function opened(query) {
  const client = await Client.open(server, path(query));
  const [, id] = /^open (.*)$/.exec(await client.next());
  return { client, id };
}

/* Of its own cell only: an earlier one may have something under way. */
async function news(what, n) {
  for (;;) {
    const [, got, cell, rest] = /^(\w+) (\d+) ?(.*)$/.exec(await good.next());
    if (got === what && cell === n) {
      return rest;
    }
  }
}

/* ---- how each hook comes to be called ----
 *
 * `trigger` gives the connection that it happened to (or an HTTP response), and
 * throws Refused; `call` is its name in reports. */

const later = (ask) => async (query) => {
  const { client } = await opened(query);
  client.send(ask);
  ask.startsWith("!") && query.act !== "close_self" && (await until("the request is heard", () => client.pending > 0 || client.end));
  return client;
};

const HOOKS = {
  on_upgrade: { trigger: (query) => Client.open(server, path(query)), has: "handshake" },
  on_open: { trigger: (query) => Client.open(server, path(query)), has: "conn" },
  on_message: { trigger: later("go"), has: "conn" },
  on_alarm: { trigger: later("!alarm"), has: "conn" },
  "tw.after": { trigger: later("!after"), has: "closure" },
  task: { trigger: later("!spawn"), has: "closure" },
  on_close: {
    has: "nothing",
    async trigger(query) {
      const { client } = await opened(query);
      await client.close(1000);
    },
  },
  on_slow: {
    has: "conn",
    async trigger(query) {
      const { client } = await opened(query);
      await client.send("!drowse").expect("done drowse");
      const { client: flooder } = await opened({ hook: "none", act: "none", n: "0" }); // `other` may be closed meanwhile
      client.pause();
      const before = await server.metric("tidewire_slow_events_total");
      while ((await server.metric("tidewire_slow_events_total")) === before) {
        flooder.send(`!flood ${query.n}`);
        await flooder.expect("done flood");
      }
      client.resume();
      flooder.drop();
      return client;
    },
  },
  handler: {
    has: "request",
    trigger: (query) => fetch(`http://127.0.0.1:${server.port}/run${path(query).slice(1)}`),
  },
};

/* Messages come that were on their way; then `text` is echoed. */
async function echoes(client, text) {
  client.send(text);
  while ((await client.next()) !== text) {
    /* something earlier */
  }
}

/* ---- what must become of it ---- */

async function failed(has, happened) {
  if (has === "handshake") {
    await assert.rejects(happened, (error) => error instanceof Refused && error.status === 500);
  } else if (has === "request") {
    assert.equal((await happened).status, 500);
  } else if (has === "conn") {
    await (await happened).expectClose(1011);
  } else {
    await goesOn(has, happened);
  }
}

async function goesOn(has, happened) {
  const client = await happened;
  if (has === "request") {
    assert.equal(client.status, 200);
  } else if (client) {
    await echoes(client, "still here");
  }
}

const OUTCOMES = {
  raise: failed,
  memory: failed,
  time: failed,
  async refuse(has, happened, hook) {
    if (has === "handshake") {
      await assert.rejects(happened, (error) => error instanceof Refused && error.status === 403);
    } else if (hook === "on_open") {
      await (await happened).expectClose(1008, "on purpose");
    } else if (has === "request") {
      assert.equal((await happened).status, 500, "nil is no status");
    } else {
      await goesOn(has, happened);
    }
  },
  async close_self(has, happened) {
    const client = await happened;
    client && (await client.expectClose(4001, "self"));
  },
  async close_other(has, happened) {
    await goesOn(has, happened);
    await other.expectClose(4002, "other");
  },
  async publish(has, happened, hook, n) {
    await news("published", n);
    await goesOn(has, happened);
  },
  async subscribe(has, happened, hook, n) {
    assert.equal(await news("subscribed", n), has === "nothing" ? "closed" : "yes");
    await goesOn(has, happened);
  },
  async reload(has, happened, hook, n) {
    await news("waiting", n);
    const { status, body } = await server.reload();
    assert.equal(status, 200, body);
    gate.write("open", n);
    await news("finished", n);
    await goesOn(has, happened);
  },
  async wait(has, happened, hook, n) {
    assert.equal(await news("waited", n), "timeout");
    await goesOn(has, happened);
  },
};

/* What there is no such thing as: a connection in a handshake or a request, an
 * end of patience for tasks. */
function isPossible(hook, has, act) {
  const wantsConn = act === "close_self" || act === "subscribe";
  return !(wantsConn && ["handshake", "request"].includes(has)) && !(act === "wait" && hook === "task");
}

async function play(hook, act) {
  const { trigger, has } = HOOKS[hook];
  const n = `${++serial}`;
  const since = server.log.length;
  const counter = COUNTERS[act];
  const before = counter && (await server.metric(counter));
  const happened = Promise.resolve(trigger({ hook, act, n, other: otherId, gate: gate.path("open") }));
  happened.catch(() => {}); // seen to by the outcome
  await OUTCOMES[act](has, happened, hook, n);
  if (FAULTS[act]) {
    const call = hook.replace(".", "\\.");
    const report = new RegExp(`msg="script call failed".*call=${call}\\b.*|call=${call}\\b.*msg="script call failed".*`);
    const [line] = await server.logged(report, since);
    assert.match(line, new RegExp(`kind=${FAULTS[act]}`));
    assert.match(line, /matrix\.lua:\d+/);
  }
  if (counter) {
    await until(`${counter} moves`, async () => (await server.metric(counter)) > before);
  }
}

/* The other connections of the worker, and the worker itself. */
async function nobodyElse() {
  await echoes(good, `echo ${serial}`);
  const { client } = await opened({ hook: "none", act: "none", n: "0" });
  await echoes(client, "new");
  assert.equal((await server.worker(0)).pid, pid, "the worker lives");
}

function cells(acts) {
  before(async () => {
    good = (await opened({ hook: "healthy", act: "none", n: "0" })).client;
  });
  for (const hook of Object.keys(HOOKS)) {
    for (const act of acts.filter((one) => isPossible(hook, HOOKS[hook].has, one))) {
      test(`${hook}: ${act}`, async () => {
        ({ client: other, id: otherId } = await opened({ hook: "none", act: "none", n: "0" }));
        await play(hook, act);
        await nobodyElse();
        other.drop();
      });
    }
  }
}

after(() => gate.remove());

describe("a hook that does it", () => {
  before(() => start());
  after(() => server?.stop());
  cells(["raise", "refuse", "close_self", "close_other", "publish", "subscribe", "memory", "time"]);
  after(dropAll);
});

describe("a hook that waits over a reload", () => {
  before(() => start({ lua: { wait: 300, retire: 300 } }));
  after(() => server?.stop());
  cells(["reload"]);
  after(dropAll);
});

/* Short, but long for a subscription, which is a wait, too. */
describe("a hook that waits for ever", () => {
  before(() => start({ lua: { wait: 3 } }));
  after(() => server?.stop());
  cells(["wait"]);
  after(dropAll);
});
