#!/usr/bin/env node
/* dict.mjs PROGRAM - what tw.dict and tw.limit cost a script, in nanoseconds a
 * call: with one worker that calls, and with two at the same time; against
 * tw.clock, a call into C that does next to nothing, in the same run.
 *
 * Each figure is the median of 51 rounds of 10,000 calls, the loop included.
 * "get" and "incr" are of one key, the others of 256 in turn.
 *
 * SPDX-License-Identifier: MIT */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { Agent, get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const [program] = process.argv.slice(2);
const SCRIPT = fileURLToPath(new URL("./dict.lua", import.meta.url));
const CASES = ["clock", "get", "get_keys", "set", "incr", "incr_keys", "limit"];

if (!program) {
  console.error("usage: dict.mjs PROGRAM");
  process.exit(2);
}

/* ---- the server ---- */

const folder = mkdtempSync(join(tmpdir(), "tw-bench-"));
writeFileSync(join(folder, "config.lua"), 'return { lua = { budget = "60s", wait = "10m" }, hang = { off = true } }\n');
const flags = ["--listen", "127.0.0.1:0", "--admin", "off", "--workers", "2", "--config", join(folder, "config.lua"), "--runtime-dir", join(folder, "run"), "--log-format", "logfmt"];
const server = spawn(program, ["run", SCRIPT, ...flags], { stdio: ["ignore", "pipe", "pipe"] });
process.on("exit", () => {
  server.kill("SIGTERM");
  rmSync(folder, { recursive: true, force: true });
});

let log = "";
const port = await new Promise((resolve, reject) => {
  const read = (text) => {
    log += text;
    const found = /Tidewire \S+ on https?:\/\/127\.0\.0\.1:(\d+)\//.exec(log);
    found && resolve(Number(found[1]));
  };
  server.stdout.setEncoding("utf8").on("data", read);
  server.stderr.setEncoding("utf8").on("data", read);
  server.once("exit", () => reject(new Error(log)));
});

const ask = (agent, path) => new Promise((resolve, reject) => {
  get({ agent, port, host: "127.0.0.1", path }, (answer) => {
    let body = "";
    answer.setEncoding("utf8").on("data", (text) => (body += text));
    answer.on("end", () => resolve(JSON.parse(body)));
  }).on("error", reject);
});

/* A kept connection to each worker. */
const workers = [];
while (!workers[0] || !workers[1]) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const { worker } = await ask(agent, "/worker");
  workers[worker] ? agent.destroy() : (workers[worker] = agent);
}

/* ---- the runs ---- */

const run = async (name, agents) => {
  const answers = await Promise.all(agents.map((agent) => ask(agent, `/run/${name}`)));
  return Math.max(...answers.map(({ ns }) => ns)); // of the slower one
};

const row = (...cells) => console.log(cells.map((cell, i) => String(cell)[i ? "padStart" : "padEnd"](12)).join(""));
row("ns a call", "one worker", "two", "x clock");
let clock;
for (const name of CASES) {
  const one = await run(name, workers.slice(0, 1));
  const two = await run(name, workers);
  clock ??= two;
  row(name, one.toFixed(0), two.toFixed(0), (two / clock).toFixed(1));
}
process.exit(0);
