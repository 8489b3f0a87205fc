/* A reload at very many open connections: everybody keeps the connection and
 * its state, and nobody is stalled for longer than 50 ms.
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Client, dropAll } from "./client.mjs";
import { Crowd, descriptors } from "./crowd.mjs";
import { Scripts, Server, patience, sanitized, until, watch } from "./harness.mjs";

const WORKERS = 2, RELOADS = 5;
const STALL = 50; // ms
const CROWD = 7000; // members in a process
/* As many as are wanted, or as the workers can have descriptors for. */
const COUNT = Math.min(sanitized ? 4000 : 20_000, Math.floor((descriptors() - 500) * WORKERS * 0.9));

const app = (name) => `
local tw = require "tidewire"
return tw.app {
    drain = { spread = 0 }, ping = 1800, idle = 3600,
    on_open = function(conn, req)
        -- Enough that to carry all of it at once would be noticed.
        conn.state.number, conn.state.tags = req.query.n, {}
        for i = 1, 40 do
            conn.state.tags[i] = { name = "tag " .. i }
        end
    end,
    on_message = function(conn, msg)
        if msg.data == "?" then
            return conn:send("${name} " .. conn.state.number .. " " .. #conn.state.tags)
        elseif msg.data == "worker" then
            return conn:send(tostring(tw.worker))
        end
        return conn:send(msg)
    end,
}
`;

const later = [];
after(async () => {
  dropAll();
  for (const undo of later.reverse()) {
    await undo();
  }
});

async function openCrowds(port) {
  const crowds = [];
  for (let first = 0; first < COUNT; first += CROWD) {
    const address = `127.0.0.${10 + crowds.length}`;
    crowds.push(Crowd.open(port, { first, count: Math.min(CROWD, COUNT - first), address }));
  }
  const all = await Promise.all(crowds);
  later.push(() => all.forEach((crowd) => crowd.close()));
  return all;
}

async function clientOn(server, slot) {
  for (let attempt = 0; attempt < 500; attempt++) {
    const client = await Client.open(server);
    if ((await client.send("worker").next()) === String(slot)) {
      return client;
    }
    client.drop();
  }
  throw new Error(`no connection landed on worker ${slot}`);
}

/* One echo after the other on a worker: what is in flight notices any stall. */
class Echo {
  worst = 0;
  count = 0;
  isOver = false;

  constructor(client, pid) {
    this.done = this.#run(client, pid);
  }

  async #run(client, pid) {
    while (!this.isOver) {
      const waited = watch(pid);
      await client.send(`echo ${this.count}`).expect(`echo ${this.count}`);
      this.worst = Math.max(this.worst, waited());
      this.count++;
    }
  }
}

/* How often a duration beyond 50 ms was noted, by any worker. */
async function beyond(server, metric) {
  const text = await server.metrics();
  return (await server.metric(`${metric}_count`, "", text)) - (await server.metric(`${metric}_bucket`, 'le="0.05"', text));
}

test(`a reload at ${COUNT} connections stalls nobody and loses nothing`, async (t) => {
  const scripts = new Scripts({ "main.lua": app("first") });
  later.push(() => scripts.remove());
  const server = await Server.start(scripts.path(), { workers: WORKERS });
  later.push(() => server.stop());
  const crowds = await openCrowds(server.port);
  const clients = [await clientOn(server, 0), await clientOn(server, 1)];
  await until("all are there", async () => (await server.metric("tidewire_connections")) === COUNT + WORKERS);
  const { workers } = await server.status();
  const carried = () => server.metric("tidewire_states_carried_total");

  const trials = [];
  for (let i = 0; i < RELOADS; i++) {
    scripts.write("main.lua", app(`reload-${i}`));
    const before = { carried: await carried(), turns: await beyond(server, "tidewire_turn_seconds"), freezes: await beyond(server, "tidewire_reload_freeze_seconds") };
    const echoes = clients.map((client, slot) => new Echo(client, workers[slot].pid));
    const { status, body } = await server.reload();
    assert.equal(status, 200, body);
    await until("every state is carried over", async () => (await carried()) - before.carried >= COUNT, patience(60_000));
    /* The old generation is taken apart in the turns after that. */
    const counts = echoes.map((echo) => echo.count);
    await until("200 more echoes", () => echoes.every((echo, slot) => echo.count > counts[slot] + 200));
    echoes.forEach((echo) => (echo.isOver = true));
    await Promise.all(echoes.map((echo) => echo.done));
    trials.push({
      gap: Math.max(...echoes.map((echo) => echo.worst)),
      turns: (await beyond(server, "tidewire_turn_seconds")) - before.turns,
      freezes: (await beyond(server, "tidewire_reload_freeze_seconds")) - before.freezes,
    });
  }
  const least = (name) => Math.min(...trials.map((trial) => trial[name]));
  t.diagnostic(`longest gaps in ms: ${trials.map(({ gap }) => gap.toFixed(1)).join(", ")}`);
  t.diagnostic(`turns of more CPU time than that: ${trials.map(({ turns }) => turns)}; freezes: ${trials.map(({ freezes }) => freezes)}`);
  assert.ok(least("gap") < STALL, `an echo took ${least("gap").toFixed(1)} ms in the best of ${RELOADS} reloads`);
  assert.equal(least("turns"), 0, "a turn took more than 50 ms of CPU time in every reload");
  assert.equal(least("freezes"), 0, "a freeze took more than 50 ms in every reload");

  const answers = await Promise.all(crowds.map((crowd) => crowd.ask(`reload-${RELOADS - 1} %d 40`)));
  assert.deepEqual(answers.flatMap(({ wrong }) => wrong), []);
  assert.equal(answers.reduce((sum, { right }) => sum + right, 0), COUNT);
  assert.equal(answers.reduce((sum, { closed }) => sum + closed, 0), 0);
  assert.equal(await server.metric("tidewire_connections"), COUNT + WORKERS);
});
