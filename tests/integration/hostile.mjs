/* hostile.mjs - a server under attack, and a healthy pair on it.
 *
 * The pair is a publisher and a subscriber of one channel on the worker that
 * is attacked. It sends a number every 10 ms: none may be lost, doubled or out
 * of order, and the 99th percentile of the time they take must be at most
 * 50 ms. Afterwards the worker holds what it held before: descriptors,
 * connections, queues. Its memory may have grown for a while by what the limits
 * allow, and by SLACK.
 *
 * A machine that is busy with other things shall not decide the test: time for
 * which one of the two processes had no core is taken off, and the best window
 * of several counts, for a fault of the server shows in all of them.
 *
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import { Client } from "./client.mjs";
import { Server, patience, sanitized, until, watch } from "./harness.mjs";
import { Mob } from "./mob.mjs";

const APP = fileURLToPath(new URL("./hostile.lua", import.meta.url));
const EVERY = 10; // ms between two messages of the pair
const LIMIT = 50; // ms, of their 99th percentile
const ENOUGH = 200; // messages of a window
const SPARE = 4; // windows more, as long as none was quick enough
/* MiB: what the allocator and the collector of Lua keep for later. */
const SLACK = 4;
/* Every allocation of an ASan build has surroundings. */
const SWELLING = sanitized ? 4 : 1;

export const MiB = 1 << 20;

/* ---- the pair ---- */

class Pair {
  #sent = 0;
  #flying = []; // a watch for each message on its way
  #times = [];
  #failure = null;

  static async open(server, channel, pid) {
    const pair = new Pair();
    pair.pid = pid;
    /* The time for a handshake may be too short for a busy machine. */
    const open = (path) => until(path, () => Client.open(server, path).catch(() => null));
    pair.subscriber = await open(`/?channel=${channel}`);
    pair.publisher = await open(`/?to=${channel}`);
    await pair.subscriber.expect("ready");
    await pair.publisher.expect("ready");
    return pair;
  }

  begin() {
    this.done = this.#listen().catch((error) => (this.#failure = error));
    this.timer = setInterval(() => this.#send(), EVERY);
    this.timer.unref();
  }

  #send() {
    this.#flying.push(watch(this.pid));
    this.publisher.send(String(++this.#sent));
  }

  /* The ledger. */
  async #listen() {
    for (let number = 1; ; number++) {
      const message = await this.subscriber.next(patience(60_000));
      if (message === "end") {
        assert.equal(number - 1, this.#sent, "the pair lost its last messages");
        return;
      }
      assert.equal(message, String(number), "the pair's messages");
      this.#times.push(this.#flying.shift()());
    }
  }

  #check() {
    if (this.#failure) {
      throw this.#failure;
    }
  }

  /* Milliseconds within which 99 % of what was sent during `attack` arrived;
   * an attack that is short is repeated. */
  async p99During(attack) {
    const first = this.#sent;
    do {
      await attack();
      this.#check();
    } while (this.#sent - first < ENOUGH);
    const last = this.#sent;
    await until("the pair's messages are there", () => {
      this.#check();
      return this.#times.length >= last;
    }, patience(60_000));
    const times = this.#times.slice(first, last).sort((a, b) => a - b);
    return times[Math.ceil(times.length * 0.99) - 1];
  }

  async settle() {
    clearInterval(this.timer);
    this.publisher.send("end");
    await this.done;
    this.#check();
    return this.#sent;
  }

  end() {
    clearInterval(this.timer);
    this.subscriber.drop();
    this.publisher.drop();
  }
}

/* ---- what a worker holds ---- */

const GAUGES = ["connections", "sockets", "subscriptions", "channels", "queued_bytes", "deliveries_queued", "pinned_bytes", "waiting_hooks"];

async function heldBy(server, pid) {
  const text = await server.metrics();
  const held = { descriptors: readdirSync(`/proc/${pid}/fd`).length };
  for (const name of GAUGES) {
    held[name] = await server.metric(`tidewire_${name}`, "", text);
  }
  return held;
}

/* The most memory that a process ever had, in bytes. */
function peakOf(pid) {
  const [, kilobytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Number(kilobytes) * 1024;
}

/* ---- the siege ---- */

class Siege {
  static async lay({ settings, channel }) {
    const siege = new Siege();
    const options = [process.env.ASAN_OPTIONS, "quarantine_size_mb=1"].filter(Boolean).join(":");
    siege.server = await Server.start(APP, { settings, env: { ASAN_OPTIONS: options } });
    try {
      siege.mob = new Mob(siege.server.port);
      siege.pid = (await siege.server.worker(0)).pid;
      siege.pair = await Pair.open(siege.server, channel, siege.pid);
    } catch (error) {
      await siege.fail(error);
    }
    return siege;
  }

  /* A function that tells by how much a counter has grown since now. */
  async #growth(name) {
    const read = () => this.server.metric(`tidewire_${name}`);
    const before = await read();
    return async () => (await read()) - before;
  }

  /* Does something that counts exactly `count` times, and gives its result. */
  counts = async (name, count, doIt) => {
    const growth = await this.#growth(name);
    const result = await doIt();
    await until(`${name}: ${count} more`, async () => (await growth()) >= count);
    assert.equal(await growth(), count, name);
    return result;
  };

  /* Does something until it has counted `count` times or more. */
  reaches = async (name, count, doIt) => {
    const growth = await this.#growth(name);
    do {
      await doIt();
    } while ((await growth()) < count);
  };

  async withstand(t, attack, { memory, rounds }) {
    const [before, peak] = [await heldBy(this.server, this.pid), peakOf(this.pid)];
    const windows = [];
    const isQuick = () => Math.min(...windows) <= LIMIT;
    this.pair.begin();
    while (windows.length < rounds || (!isQuick() && windows.length < rounds + SPARE)) {
      windows.push(await this.pair.p99During(() => attack(this)));
    }
    const sent = await this.pair.settle();
    const list = windows.map((ms) => ms.toFixed(1)).join(", ");
    t.diagnostic(`p99 of the pair: ${list} ms; ${sent} messages`);
    assert.ok(isQuick(), `p99 of the pair: ${list} ms, each more than ${LIMIT}`);
    await this.#isAsBefore(before);
    const more = (peakOf(this.pid) - peak) / MiB;
    t.diagnostic(`memory: ${more.toFixed(1)} MiB more at most`);
    assert.ok(more <= SWELLING * (memory / MiB + SLACK), `the worker took ${more.toFixed(1)} MiB`);
  }

  async #isAsBefore(before) {
    let now;
    const isBack = async () => isDeepStrictEqual((now = await heldBy(this.server, this.pid)), before);
    await until("the worker holds what it held before", isBack).catch(() => assert.deepEqual(now, before));
    assert.equal((await this.server.worker(0)).pid, this.pid);
  }

  /* Ends what there is after a failure, and throws it. */
  async fail(error) {
    this.#end();
    await this.server.kill().catch((complaint) => (error.message += `\n${complaint.message}`));
    throw error;
  }

  async lift() {
    this.#end();
    await this.server.stop();
  }

  #end() {
    this.mob?.end();
    this.pair?.end();
  }
}

/* Runs `attack(siege)` against a server with `settings`, in `rounds` windows at
 * least; of a siege it has `server`, `mob`, `counts` and `reaches`. `memory` is how many bytes the limits let it cost;
 * `channel` is the pair's. */
export async function besiege(t, { settings = {}, channel = "close:pair", memory = 0, rounds = 1 }, attack) {
  const siege = await Siege.lay({ settings, channel });
  try {
    await siege.withstand(t, attack, { memory, rounds });
  } catch (error) {
    await siege.fail(error);
  }
  await siege.lift();
}

/* How clients ended: `count` of them, each as `expected` says (a word, or a
 * pattern) or by a reset, which may overtake what was said; not all by that. */
export function assertEndings(endings, count, expected, note = "") {
  const isExpected = (word) => (expected instanceof RegExp ? expected.test(word) : word === expected);
  const others = endings.filter((word) => !isExpected(word) && word !== "RST");
  assert.equal(endings.length, count);
  assert.deepEqual([...new Set(others)], [], note);
  assert.ok(endings.some(isExpected), `all ended by a reset ${note}`);
}
