/* harness.mjs - a server and a browser for the tests of this folder.
 * SPDX-License-Identifier: MIT
 *
 * From the environment:
 *   TIDEWIRE_BIN     the server's program (required)
 *   TW_TEST_OUTPUT   folder for screenshots and server logs
 *   CHROMIUM         the browser, default /usr/bin/chromium
 *
 * Nothing here sleeps for a guessed time: whatever is expected is waited for,
 * with a deadline. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, createWriteStream, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const DEADLINE = 60_000; // ms for anything that should happen soon
export const SCRIPTS = fileURLToPath(new URL("../../scripts", import.meta.url));
const EXAMPLES = fileURLToPath(new URL("../../examples", import.meta.url));
const CHROMIUM_FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-dev-shm-usage",
];

const output = process.env.TW_TEST_OUTPUT ?? join(tmpdir(), "tidewire-browser");
mkdirSync(output, { recursive: true });

/* Waits until `ask` answers something true, and returns that. */
export async function until(what, ask) {
  const end = Date.now() + DEADLINE;
  for (;;) {
    const answer = await ask();
    if (answer) {
      return answer;
    }
    assert.ok(Date.now() < end, `not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/* Waits until `condition`, run in the page, is true. Playwright's own way
 * (waitForFunction) needs eval, which the pages' policy rightly forbids; and
 * switching the policy off would make these tests of other pages. */
export function shows(page, condition, argument) {
  return until(`the page fulfils ${condition}`, () => page.evaluate(condition, argument));
}

/* A port that nobody listens on, below those that the kernel gives to
 * connections: it stays free, also while a server restarts. */
async function freePort() {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 22_000);
    const holder = createServer().listen(port, "127.0.0.1");
    const isFree = await once(holder, "listening").then(() => true, () => false);
    if (isFree) {
      await new Promise((resolve) => holder.close(resolve));
      return port;
    }
  }
}

export class Server {
  #name;
  #script;
  #config;
  #env;
  #process = null;
  #log = "";

  /* `scripts` is the folder with main.lua; `name` is that of the log file.
   * `script` is another script of that folder, `config` another configuration
   * than the demo's, `env` more variables. */
  static async start(name, scripts = SCRIPTS, { script = "main", config = join(SCRIPTS, "config.lua"), env = {} } = {}) {
    const server = new Server();
    const port = await freePort();
    server.#name = name;
    server.#config = config;
    server.#env = env;
    server.#script = join(scripts, `${script}.lua`);
    server.listen = `127.0.0.1:${port}`;
    server.url = `http://127.0.0.1:${port}`;
    await server.run();
    return server;
  }

  /* One of examples/, with its own configuration; or another server that
   * belongs to it. */
  static example(name, env = {}, script = "main") {
    const folder = join(EXAMPLES, name);
    const config = join(folder, script === "main" ? "config.lua" : `${script}.config.lua`);
    return Server.start(`example-${name}-${script}`, folder, { script, config, env });
  }

  /* Starts the process; again after stop(), on the same port. */
  async run() {
    const program = process.env.TIDEWIRE_BIN;
    assert.ok(program, "TIDEWIRE_BIN must name the server's program");
    const options = ["--config", this.#config, "--listen", this.listen, "--admin", "127.0.0.1:0", "--workers", "2"];
    /* Nothing fails because the machine is busy with other things. */
    const env = { ...process.env, TIDEWIRE_FREEZE: "30s", TIDEWIRE_LUA_BUDGET: "1s", TIDEWIRE_HANG_WALL: "600s", TIDEWIRE_DRAIN: "30s", ...this.#env };
    this.#process = spawn(program, ["run", this.#script, ...options], { stdio: ["ignore", "ignore", "pipe"], env });
    this.#process.stderr.setEncoding("utf8").on("data", (text) => (this.#log += text));
    this.#process.stderr.pipe(createWriteStream(join(output, `${this.#name}.log`), { flags: "a" }));
    await until(`${this.#script} answers`, async () => {
      assert.equal(this.#process.exitCode, null, `the server ended:\n${this.#log}`);
      return fetch(this.url).then(
        () => true,
        () => false,
      );
    });
  }

  reload() {
    this.#process.kill("SIGHUP");
  }

  /* What the server says of its workers. */
  async workers() {
    const [, admin] = await this.logged(/admin (http:\/\/127\.0\.0\.1:\d+)/);
    return (await (await fetch(`${admin}/api/status`)).json()).workers;
  }

  /* Kills the worker in a slot, and waits until another one serves. */
  async killWorker(slot) {
    const { pid } = (await this.workers())[slot];
    process.kill(pid, "SIGKILL");
    await until(`slot ${slot} is replaced`, async () => {
      const worker = (await this.workers().catch(() => []))[slot];
      return worker?.ready && worker.pid > 0 && worker.pid !== pid;
    });
  }

  /* Waits until the log has a line that matches. */
  logged(pattern) {
    return until(`a log line like ${pattern}`, () => pattern.exec(this.#log));
  }

  /* Ends it politely, and fails if it does not go. */
  async stop() {
    const child = this.#process;
    if (child.exitCode !== null || child.signalCode !== null) {
      return;
    }
    const gone = once(child, "exit");
    const force = setTimeout(() => child.kill("SIGKILL"), DEADLINE);
    child.kill("SIGTERM");
    const [code] = await gone;
    clearTimeout(force);
    assert.equal(code, 0, `the server did not end well:\n${this.#log}`);
  }
}

/* A way to a server that can be cut: visitors go to `url`, and what they send
 * and get passes through here. */
export class Wire {
  #to;
  #listener;
  #sockets = new Set();
  #lost = new Set(); // "up", "down": what goes there does not arrive

  static async to(server) {
    const wire = new Wire();
    wire.#to = Number(new URL(server.url).port);
    await wire.#listen(await freePort());
    return wire;
  }

  async #listen(port) {
    this.port = port;
    this.url = `http://127.0.0.1:${port}`;
    this.#listener = createServer((near) => this.#join(near)).listen(port, "127.0.0.1");
    await once(this.#listener, "listening");
  }

  #join(near) {
    const far = connect(this.#to, "127.0.0.1");
    for (const [from, to, way] of [[near, far, "up"], [far, near, "down"]]) {
      this.#sockets.add(from);
      from.setNoDelay(true);
      from.on("data", (data) => this.#lost.has(way) || to.write(data));
      from.on("end", () => to.end());
      from.on("error", () => to.destroy());
      from.on("close", () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
  }

  /* From here on what goes "up", or "down", is lost without anybody noticing. */
  lose(way) {
    this.#lost.add(way);
  }

  /* Breaks all connections, and refuses new ones. */
  async cut() {
    const closed = once(this.#listener, "close");
    this.#listener.close();
    this.#sockets.forEach((socket) => socket.destroy());
    await closed;
  }

  /* Lets them in again. */
  async mend() {
    this.#lost.clear();
    await this.#listen(this.port);
  }

  async remove() {
    if (this.#listener.listening) {
      await this.cut();
    }
  }
}

/* A copy of the scripts that a test may change. */
export class ScriptsCopy {
  constructor() {
    this.folder = mkdtempSync(join(tmpdir(), "tidewire-scripts-"));
    cpSync(SCRIPTS, this.folder, { recursive: true });
  }

  /* Replaces `from`, which must be there, in one of the files. */
  edit(file, from, to) {
    const path = join(this.folder, file);
    const text = readFileSync(path, "utf8");
    assert.ok(text.includes(from), `${file} does not contain ${from}`);
    writeFileSync(path, text.replace(from, to));
  }

  remove() {
    rmSync(this.folder, { recursive: true });
  }
}

export class Browser {
  #browser;
  #complaints = [];

  static async start() {
    const self = new Browser();
    const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
    self.#browser = await chromium.launch({ executablePath, args: CHROMIUM_FLAGS });
    return self;
  }

  /* A page of a visitor of its own: nothing is shared with the others, or all
   * with that of the page `beside`. What the page complains of in its console
   * makes the test fail at the end, but for what `expected` matches. */
  async visit(url, { expected, beside, ...options } = {}) {
    const viewport = { width: 1280, height: 800 };
    const context = beside?.context() ?? (await this.#browser.newContext({ viewport, ...options }));
    context.setDefaultTimeout(DEADLINE);
    const page = await context.newPage();
    page.on("pageerror", (error) => this.#complaints.push(String(error)));
    page.on("console", (message) => {
      if (message.type() === "error" && !expected?.test(message.text())) {
        this.#complaints.push(message.text());
      }
    });
    page.on("request", (request) => {
      if (new URL(request.url()).hostname !== "127.0.0.1") {
        this.#complaints.push(`asks elsewhere: ${request.url()}`);
      }
    });
    await page.goto(url);
    return page;
  }

  async stop() {
    await this.#browser.close();
    assert.deepEqual(this.#complaints, []);
  }
}

/* What all tests of a file share, started before them: { server, browser }. */
export function stage(name) {
  const shared = {};
  before(async () => {
    shared.server = await Server.start(name);
    shared.browser = await Browser.start();
  });
  after(async () => {
    await shared.browser?.stop();
    await shared.server?.stop();
  });
  return shared;
}

/* Keeps what a page looks like, for people to look at. */
export function screenshot(page, name, fullPage = false) {
  return page.screenshot({ path: join(output, `${name}.png`), fullPage, animations: "disabled" });
}

/* Waits until the page says that it is connected. */
export function online(page) {
  return page.waitForSelector('#status[data-state="online"]');
}

/* From here on notes every state of the connection that the page shows;
 * `statesSince(page)` returns them. */
export function noteStates(page) {
  return page.evaluate(() => {
    const status = document.getElementById("status");
    window.statesSeen = [];
    new MutationObserver(() => window.statesSeen.push(status.dataset.state)).observe(status, {
      attributeFilter: ["data-state"],
    });
  });
}

export function statesSince(page) {
  return page.evaluate(() => window.statesSeen);
}

/* No page may be wider than the screen it is on. */
export async function assertFits(page) {
  const [inner, outer] = await page.evaluate(() => {
    const root = document.documentElement;
    return [root.scrollWidth, root.clientWidth];
  });
  assert.ok(inner <= outer, `${inner} px of content in ${outer} px`);
}

/* Whatever can be operated must have a name for those who do not see it. */
export async function assertNamed(page) {
  const nameless = await page.evaluate(() =>
    [...document.querySelectorAll("a, button, input, textarea, canvas[role], [role=region]")]
      .filter((element) => {
        const labels = element.labels ? [...element.labels] : [];
        const texts = [element.getAttribute("aria-label"), element.textContent, ...labels.map((l) => l.textContent)];
        const alt = element.querySelector("img[alt]")?.alt;
        return ![...texts, alt].some((text) => text?.trim());
      })
      .filter((element) => element.checkVisibility())
      .map((element) => element.outerHTML),
  );
  assert.deepEqual(nameless, []);
}
