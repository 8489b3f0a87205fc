/* ledger.test.mjs - nothing lost, nothing twice, nothing out of order, while
 * scripts are reloaded, workers die and readers dawdle. `tidewire bench fanout
 * --ledger` numbers every publication and checks every delivery.
 *
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { Server, pause, run, sanitized, source, until } from "./harness.mjs";

const SCRIPT = join(source, "examples/bench/app.lua");
const SUBSCRIBERS = sanitized ? "60" : "200";

/* Starts the load; `meanwhile` runs beside it once it flows. */
async function fanout(server, options, meanwhile = async () => {}) {
  const url = `ws://127.0.0.1:${server.port}/`;
  const flags = ["bench", "fanout", "--url", url, "--subscribers", SUBSCRIBERS, "--ledger", "--warmup", "0.2", "--drain", "30"];
  let ended = false;
  const load = run([...flags, "--seconds", "3", ...options]).finally(() => (ended = true));
  await until("the load flows", async () => ended || (await server.metric("tidewire_publications_total")) > 200);
  await Promise.all([load, meanwhile()]);
  return load;
}

const column = (report, row, index) => Number(new RegExp(`^\\s+${row}((?:\\s+\\d+)+)$`, "m").exec(report)[1].trim().split(/\s+/)[index]);
const intended = (report) => column(report, "all", 0);

/* The slot whose counter is highest. */
async function busiest(server, metric) {
  const values = await server.values(metric);
  return values.indexOf(Math.max(...values));
}

function assertClean({ code, stdout, stderr }) {
  assert.equal(code, 0, stdout + stderr);
  assert.match(stdout, /^\s+clean$/m);
  assert.ok(intended(stdout) > 1000, `hardly anything was sent:\n${stdout}`);
}

for (const workers of [1, 3]) {
  test(`100 SIGHUPs in a burst lose, double and reorder nothing, with ${workers} workers`, async () => {
    const server = await Server.start(SCRIPT, { workers });
    const before = (await server.status()).generation;
    const report = await fanout(server, ["--rate", "500"], async () => {
      /* A hundred, and on until they were five reloads: bursts merge. */
      const isEnough = async () => (await server.status()).generation >= before + 5;
      for (let i = 0; i < 100 || !(await isEnough()); i++) {
        process.kill(server.pid, "SIGHUP");
        await pause(10);
      }
    });
    assertClean(report);
    assert.doesNotMatch(report.stdout, /disconnect/);
    await until("every worker has the last generation", async () => {
      const status = await server.status();
      return status.workers.every((worker) => worker.generation === status.generation);
    });
    await server.stop();
  });
}

test("a worker that is killed costs its own connections and no delivery of the others", async () => {
  const server = await Server.start(SCRIPT, { workers: 3 });
  const victims = [];
  const report = await fanout(server, ["--rate", "500", "--allow-disconnect", "--reconnect"], async () => {
    /* Neither the channel's home nor the publisher's worker: what is with those
     * when they die is lost, at most once, as is said of channels without history. */
    const [home, publisher] = await Promise.all([
      busiest(server, "tidewire_publications_sequenced_total"),
      busiest(server, "tidewire_publications_total"),
    ]);
    const slot = [0, 1, 2].find((other) => other !== home && other !== publisher);
    const { workers } = await server.status();
    victims.push(workers[slot].pid);
    process.kill(workers[slot].pid, "SIGKILL");
    await server.replaced(slot, victims[0]);
  });
  assert.equal(report.code, 0, report.stdout);
  const status = await server.status();
  assert.equal(status.workers.reduce((sum, worker) => sum + worker.restarts, 0), 1);
  await server.stop();
});

/* What /metrics says of a class, over all slots. */
const fate = (server, name, which) => server.metric("tidewire_class_deliveries_total", `class="${name}",fate="${which}"`);

const POLICIES = [
  ["close", "closed", "closed with 1013"],
  ["new", "dropped"],
  ["old", "dropped"],
  ["conflate", "conflated"],
];

for (const [policy, lost, code] of POLICIES) {
  const channel = `${policy}:x`;
  test(`readers that do not read cost the others nothing on a channel of class ${channel}`, async () => {
    const server = await Server.start(SCRIPT, {
      workers: 3,
      settings: { limits: { publication_budget: "256KiB" } },
    });
    /* Those who read always have room for what is in flight. */
    const flags = ["--slow", "10", "--size", "8192", "--in-flight", "16", "--channel", channel, "--drain", "5"];
    const report = await fanout(server, [...flags, "--allow-disconnect"]);
    assertClean(report);
    assert.match(report.stdout, /10 slow/);
    if (code) {
      assert.match(report.stdout, new RegExp(`slow readers \\d+ ${code}`));
    }
    assert.ok((await fate(server, `${policy}:*`, lost)) > 0, "nothing was given up: the readers were not slow");
    assert.ok((await fate(server, `${policy}:*`, "delivered")) >= intended(report.stdout));
    await server.stop();
  });
}
