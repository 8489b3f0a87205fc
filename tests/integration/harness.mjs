/* harness.mjs - runs the server for the tests of this folder and of
 * conformance/, and waits for things with a deadline.
 *
 * From the environment:
 *   TIDEWIRE_BIN     the server's program (required)
 *   TW_TEST_OUTPUT   folder for the servers' logs; none are kept without it
 *   TW_SANITIZE      "1": the program is an ASan build, which is slower
 *
 * How tests wait is in waiting.mjs, which comes along.
 *
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { patience, until, within } from "./waiting.mjs";

export * from "./waiting.mjs";

export const source = process.env.TW_SOURCE_DIR ?? fileURLToPath(new URL("../..", import.meta.url));

export function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/* A value as Lua source, for configuration files. */
function lua(value) {
  if (Array.isArray(value)) {
    return `{ ${value.map(lua).join(", ")} }`;
  }
  if (value !== null && typeof value === "object") {
    const fields = Object.entries(value).map(([key, item]) => `[${JSON.stringify(key)}] = ${lua(item)}`);
    return `{ ${fields.join(", ")} }`;
  }
  return JSON.stringify(value);
}

const COMPLAINT = /AddressSanitizer|LeakSanitizer|runtime error:|Assertion .* failed/;

/* Runs `program ARGS` to its end. */
export async function run(args, options = {}) {
  const child = spawn(process.env.TIDEWIRE_BIN, args, { stdio: ["ignore", "pipe", "pipe"], ...options });
  let stdout = "", stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text) => (stderr += text));
  const [code, signal] = await within(`the end of ${args.join(" ")}`, once(child, "close"), patience(120_000));
  return { code, signal, stdout, stderr };
}

/* A folder of its own for scripts that a test writes and changes. */
export class Scripts {
  constructor(files = {}) {
    this.folder = mkdtempSync(join(tmpdir(), "tw-scripts-"));
    for (const [name, text] of Object.entries(files)) {
      this.write(name, text);
    }
  }

  path(name = "main.lua") {
    return join(this.folder, name);
  }

  write(name, text) {
    mkdirSync(dirname(this.path(name)), { recursive: true });
    writeFileSync(this.path(name), text);
    return this;
  }

  copy(from, name = "main.lua") {
    cpSync(from, this.path(name), { recursive: true });
    return this;
  }

  remove() {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/* A hook of any generation waits at a gate until the test opens it: a file
 * that the script may read. */
export class Gate {
  #scripts = new Scripts();
  path = this.#scripts.path("open");

  /* For the settings of the server. */
  get files() {
    return [this.path];
  }

  /* Lua that waits. */
  get wait() {
    return `while not tw.file.read(${JSON.stringify(this.path)}) do tw.sleep(0.01) end`;
  }

  open() {
    this.#scripts.write("open", "");
  }

  close() {
    this.#scripts.remove();
  }
}

/* Times whose end is a failure are long here: a test that is about one of them
 * sets it. The defaults have tests of their own. */
const PATIENT = {
  hang: { cpu: 30, wall: 600 },
  lua: { budget: 1, wait: 300 },
  limits: { handshake: 300, http_idle: 300, http_handler: 300, frame: 300, close: 60, stall: 600 },
};

function merge(base, over) {
  const isTable = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
  const merged = { ...base };
  for (const [key, value] of Object.entries(over)) {
    merged[key] = isTable(value) && isTable(base[key]) ? merge(base[key], value) : value;
  }
  return merged;
}

const running = new Set();
process.on("exit", () => running.forEach((child) => child.kill("SIGKILL")));

export class Server {
  log = "";
  #child;
  #gone;
  #folder = mkdtempSync(join(tmpdir(), "tw-"));

  /* Starts `script` and waits until all of it is ready. `settings` is what a
   * configuration file may hold, above PATIENT; `args` are more flags and
   * `env` more variables. `shell` is a line of sh that starts the program and its
   * arguments, "$@", in some way of its own, say with another standard error. */
  static async start(script, { workers = 1, admin = "off", settings = {}, args = [], env = {}, shell } = {}) {
    const server = new Server();
    chmodSync(server.#folder, 0o755); // servers of other users reach theirs
    const config = join(server.#folder, "config.lua");
    writeFileSync(config, `return ${lua(merge(PATIENT, settings))}\n`);
    server.runtimeDir = join(server.#folder, "run");
    server.name = `${basename(process.argv[1] ?? "test", ".test.mjs")}-${basename(script, ".lua")}`;
    server.script = script;
    const flags = ["--listen", "127.0.0.1:0", "--admin", admin, "--workers", String(workers)];
    flags.push("--runtime-dir", server.runtimeDir, "--log-format", "logfmt", "--config", config, "--drain", "30s");
    const command = [process.env.TIDEWIRE_BIN, "run", script, ...flags, ...args];
    const [program, ...rest] = shell ? ["sh", "-c", shell, "sh", ...command] : command;
    server.#child = spawn(program, rest, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, TIDEWIRE_FREEZE: "30s", ...env }, // above any file
    });
    running.add(server.#child);
    /* A test that failed must not be kept from ending by what it left. */
    server.#child.unref();
    for (const stream of [server.#child.stdout, server.#child.stderr]) {
      stream.setEncoding("utf8").on("data", (text) => (server.log += text));
      stream.unref();
    }
    server.#gone = once(server.#child, "close").then(([code, signal]) => {
      running.delete(server.#child);
      return { code, signal };
    });
    try {
      await server.#ready(shell !== undefined);
    } catch (error) {
      await server.kill();
      throw error;
    }
    return server;
  }

  get pid() {
    return this.#child.pid;
  }

  /* Its log may go elsewhere: then its addresses are asked for. */
  async #ready(isElsewhere) {
    await until("the server is ready", async () => {
      const { exitCode, signalCode } = this.#child;
      assert.ok(exitCode === null && signalCode === null, `the server ended: ${exitCode ?? signalCode}\n${this.log}`);
      return (await this.ask("/ready").catch(() => ({}))).status === 200;
    }).catch((error) => {
      error.message += `\n${this.log}`;
      throw error;
    });
    if (isElsewhere) {
      this.port = Number((await this.status()).addresses[0].split(":").at(-1));
      return;
    }
    const [line, port] = await this.logged(/Tidewire \S+ on https?:\/\/127\.0\.0\.1:(\d+)\/.*/);
    this.port = Number(port);
    this.adminPort = Number(/admin http:\/\/127\.0\.0\.1:(\d+)/.exec(line)?.[1]);
  }

  /* One request to the Unix socket of the runtime folder. */
  ask(path, method = "GET") {
    const socketPath = join(this.runtimeDir, "admin.sock");
    return within(`${method} ${path}`, new Promise((resolve, reject) => {
      const sent = request({ socketPath, path, method, headers: { host: "localhost" }, agent: false }, (answer) => {
        let body = "";
        answer.setEncoding("utf8").on("data", (text) => (body += text));
        answer.on("end", () => resolve({ status: answer.statusCode, headers: answer.headers, body }));
        answer.on("error", reject);
      });
      sent.on("error", reject).end();
    }));
  }

  async status() {
    return JSON.parse((await this.ask("/api/status")).body);
  }

  async worker(slot) {
    return (await this.status()).workers[slot];
  }

  async metrics() {
    return (await this.ask("/metrics")).body;
  }

  /* A metric's values, as many as it has label sets: those of slots in their
   * order. `labels` picks some: 'class="x"'. `text` is what was read before. */
  async values(name, labels = "", text = undefined) {
    const isWanted = (line) => line.startsWith(`${name} `) || (line.startsWith(`${name}{`) && line.includes(labels));
    const lines = (text ?? (await this.metrics())).split("\n").filter(isWanted);
    return lines.map((line) => Number(line.slice(line.lastIndexOf(" "))));
  }

  /* The sum of a metric over its label sets. */
  async metric(name, labels, text) {
    const values = await this.values(name, labels, text);
    assert.ok(values.length > 0, `no metric ${name}`);
    return values.reduce((sum, value) => sum + value, 0);
  }

  /* Waits until so many hooks wait for something. */
  async hookWaits(count = 1) {
    await until(`${count} hooks wait`, async () => (await this.metric("tidewire_waiting_hooks")) === count);
  }

  /* Waits until another process than `pid` serves the slot. */
  replaced(slot, pid) {
    return until(`slot ${slot} is replaced`, async () => {
      const worker = await this.worker(slot);
      return worker.ready && worker.pid > 0 && worker.pid !== pid;
    });
  }

  /* Waits until the log has something like it, from `since` on. */
  logged(pattern, since = 0, ms = patience()) {
    return until(`a log line like ${pattern}`, () => pattern.exec(this.log.slice(since)), ms).catch((error) => {
      error.message += `\n${this.log.slice(-8000)}`;
      throw error;
    });
  }

  signal(name) {
    this.#child.kill(name);
  }

  /* Reloads and answers what became of it: { status, body }. */
  reload() {
    return this.ask("/api/reload", "POST");
  }

  /* { code, signal } of its end. */
  get gone() {
    return within("the server's end", this.#gone, patience(60_000));
  }

  async #cleanUp() {
    await this.gone;
    rmSync(this.#folder, { recursive: true, force: true });
    const output = process.env.TW_TEST_OUTPUT;
    if (output) {
      writeFileSync(join(output, `${this.name}.log`), this.log);
    }
    assert.doesNotMatch(this.log, COMPLAINT);
  }

  /* Ends it politely, and fails if it does not go, or not well. */
  async stop() {
    const { exitCode, signalCode } = this.#child;
    assert.ok(exitCode === null && signalCode === null, `the server ended before: ${exitCode ?? signalCode}\n${this.log}`);
    const pids = (await this.status()).workers.map((worker) => worker.pid);
    this.signal("SIGTERM");
    const force = setTimeout(() => this.#child.kill("SIGKILL"), patience(45_000));
    const { code, signal } = await this.gone;
    clearTimeout(force);
    await this.#cleanUp();
    assert.deepEqual([code, signal], [0, null], `the server did not end well:\n${this.log.slice(-8000)}`);
    assert.deepEqual(pids.filter((pid) => pid > 0 && isAlive(pid)), [], "a worker was left behind");
  }

  /* Waits for an end that somebody else asked for. */
  async ended(code = 0) {
    const end = await this.gone;
    await this.#cleanUp();
    assert.equal(end.code, code, this.log.slice(-8000));
  }

  /* Ends it in any case. */
  async kill() {
    this.#child.kill("SIGKILL");
    await this.#cleanUp();
  }
}
