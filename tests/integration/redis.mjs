/* redis.mjs - Redis servers of the tests: Debian's program, in a folder of its
 * own, on a port that was free and a Unix socket. Ended by their pid.
 * SPDX-License-Identifier: MIT */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { until } from "./harness.mjs";

const exec = promisify(execFile);

const running = new Set();
process.on("exit", () => running.forEach((child) => child.kill("SIGKILL")));

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

export class Redis {
  #folder = mkdtempSync(join(tmpdir(), "tw-redis-"));
  #args;
  #child;

  /* `args` are flags of redis-server. Somebody may take the port before it
   * does: then another one is tried. */
  static async start(...args) {
    const redis = new Redis();
    redis.#args = args;
    for (let left = 5; ; left--) {
      redis.port = await freePort();
      try {
        await redis.begin();
        return redis;
      } catch (error) {
        if (left === 0 || redis.#child.exitCode === null) {
          throw error;
        }
      }
    }
  }

  /* Again, on the same port. */
  async begin() {
    const flags = ["--port", String(this.port), "--bind", "127.0.0.1", "--save", "", "--dir", this.#folder];
    flags.push("--unixsocket", this.path, "--unixsocketperm", "700", "--daemonize", "no", "--loglevel", "warning");
    this.#child = spawn("redis-server", [...flags, ...this.#args], { stdio: "ignore" });
    running.add(this.#child);
    await until("Redis answers", async () => {
      if (this.#child.exitCode !== null) {
        throw new Error("redis-server ended");
      }
      return /PONG|NOAUTH/.test(await this.cli("PING").catch(() => ""));
    });
  }

  get path() {
    return join(this.#folder, "s");
  }

  get url() {
    return `redis://127.0.0.1:${this.port}`;
  }

  get pid() {
    return this.#child.pid;
  }

  async cli(...args) {
    const { stdout, stderr } = await exec("redis-cli", ["-s", this.path, ...args], { timeout: 20_000 });
    return (stdout + stderr).trim();
  }

  signal(name) {
    this.#child.kill(name);
  }

  async kill() {
    const child = this.#child;
    if (child.exitCode === null && child.signalCode === null) {
      const gone = once(child, "exit");
      child.kill("SIGCONT");
      child.kill("SIGKILL");
      await gone;
    }
    running.delete(child);
  }

  async stop() {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
