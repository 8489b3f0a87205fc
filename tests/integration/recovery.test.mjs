/* recovery.test.mjs - clients that come and go with their positions, while
 * every worker publishes, workers are killed and scripts reloaded: each has
 * every message once and in order, or was told.
 *
 * A publication does not carry its offset. A client counts: what it was told
 * when it subscribed says which one comes next. What all clients say of an
 * offset is compared, so whoever lost or doubled one differs from then on.
 *
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import WebSocket from "ws";
import { Server, patience, pause, sanitized, source, until, within } from "./harness.mjs";

const SCRIPT = join(source, "tests/integration/recovery.lua");
const CLIENTS = sanitized ? 90 : 300;
const CHANNELS = 6;
const WORKERS = 3;

const SEED = process.env.TW_SEED ? Number(process.env.TW_SEED) : Math.floor(Math.random() * 2 ** 31);

/* mulberry32 */
function randomOf(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/* What was published, by channel, epoch and offset, as clients say. */
class Ledger {
  #texts = new Map();
  #newest = new Map(); // of a source in a channel's epoch
  entries = 0;

  note(channel, epoch, offset, text, who) {
    const place = `${channel} ${epoch} ${offset}`;
    const known = this.#texts.get(place);
    if (known === undefined) {
      this.#texts.set(place, text);
      this.entries++;
    } else if (known !== text) {
      throw new Error(`client ${who} has '${text}' at ${place}, where another has '${known}'`);
    }
  }

  /* What one source published to a channel keeps its order; all is there. */
  check() {
    const places = [...this.#texts].map(([place, text]) => {
      const [channel, epoch, offset] = place.split(" ");
      const [, from, number] = text.split(" ");
      return { at: `${channel} ${epoch}`, offset: Number(offset), from: `${channel} ${epoch} ${from}`, number: Number(number) };
    });
    places.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : a.offset - b.offset));
    for (const { from, number, at, offset } of places) {
      const before = this.#newest.get(from) ?? -1;
      assert.ok(number > before, `${from}: ${number} stands behind ${before}, at ${at} ${offset}`);
      this.#newest.set(from, number);
    }
  }
}

let wounded = false; // a worker is away

class Visitor {
  received = 0;
  counts = { visits: 0, recovered: 0, missed: 0, failed: 0, gaps: 0 };
  #socket;
  #position; // of the newest that it has, { epoch, offset }
  #left = 0; // messages until it goes
  #told; // what was told when it subscribed; undefined: not yet
  #leaves;
  #failure;

  constructor(server, ledger, number) {
    Object.assign(this, { server, ledger, number, channel: `room:${number % CHANNELS}`, random: randomOf(SEED + number) });
  }

  below(n) {
    return Math.floor(this.random() * n);
  }

  /* Visits until the visitor is told to end; rejects when something is wrong. */
  async run() {
    while (!this.isEnding) {
      await this.#visit();
      await pause(this.below(300));
    }
  }

  async #visit() {
    const socket = new WebSocket(`ws://127.0.0.1:${this.server.port}/`, { perMessageDeflate: this.number % 5 === 0 });
    this.#socket = socket;
    socket.on("error", () => {}); // the worker died: it comes again
    socket.on("message", (data) => this.#try(() => this.#take(data.toString())));
    const closed = new Promise((resolve) => socket.once("close", resolve)); // not once(): a dead worker is an error
    socket.once("open", () => this.#ask(false));
    await closed;
    if (this.#failure) {
      throw this.#failure;
    }
  }

  #try(what) {
    try {
      what();
    } catch (error) {
      this.#failure ??= error;
      this.#socket.terminate();
    }
  }

  #ask(leave) {
    this.#told = undefined;
    this.#left = 3 + this.below(30);
    this.counts.visits++;
    this.#socket.send(JSON.stringify({ channel: this.channel, leave, since: this.#position, last: this.#position ? 0 : this.below(4) }));
  }

  #take(text) {
    if (text.startsWith("m ")) {
      this.#message(text);
      return;
    }
    const { told, gap, err } = JSON.parse(text);
    if (told) {
      this.#onTold(told);
    } else if (gap) {
      this.#onGap(gap);
    } else {
      assert.ok(wounded, `could not subscribe: ${err}`);
      this.#socket.terminate();
    }
  }

  /* Where it stands: before the first that will come. */
  #onTold({ epoch, offset, recovered, count }) {
    const before = this.#position;
    assert.equal(this.#told, undefined, "told twice");
    if (recovered) {
      assert.equal(epoch, before.epoch, "recovered in another epoch");
      assert.equal(offset - count, before.offset, "recovered, but not from where it was");
      this.counts.recovered++;
      this.counts.missed += count;
    } else if (before) {
      this.counts.failed++;
      /* All is kept for longer than this takes: only a home that died forgets,
       * and one that is away cannot be asked. */
      assert.ok(wounded || epoch !== before.epoch, `not recovered from ${before.offset} to ${offset} in the same epoch`);
    }
    this.#told = true;
    this.#position = { epoch, offset: offset - count };
  }

  /* It has all up to there, and begins anew. */
  #onGap(since) {
    if (this.#told === undefined) {
      return; // it has asked already
    }
    this.counts.gaps++;
    assert.deepEqual({ epoch: since.epoch, offset: since.offset }, this.#position, "the gap is elsewhere");
    this.#position = undefined;
    this.#ask(true);
  }

  #message(text) {
    if (this.#told === undefined) {
      assert.equal(this.#position, undefined, "something came before the answer");
      return; // live behind a gap
    }
    this.#position.offset++;
    this.received++;
    this.ledger.note(this.channel, this.#position.epoch, this.#position.offset, text, this.number);
    if (--this.#left === 0) {
      this.#leave();
    }
  }

  #leave() {
    const way = this.below(4);
    if (way === 0 && !this.isEnding) {
      this.#left = Infinity;
      this.#again();
    } else if (way === 1) {
      this.#stop();
      this.#socket.terminate();
    } else {
      this.#stop();
      this.#socket.close();
    }
  }

  /* What still comes was sent after it had left: it will be sent again. */
  #stop() {
    this.#socket.removeAllListeners("message");
  }

  /* On the same connection. What comes until the answer is of before: it counts
   * no more, and the position that was sent is the one that holds. */
  #again() {
    const at = { ...this.#position };
    const socket = this.#socket;
    this.#stop();
    socket.on("message", (data) =>
      this.#try(() => {
        const text = data.toString();
        if (this.#told === undefined && (text.startsWith("m ") || JSON.parse(text).gap)) {
          return;
        }
        this.#take(text);
      }),
    );
    this.#position = at;
    this.#ask(true);
  }

  end() {
    this.isEnding = true;
    this.#socket?.removeAllListeners("message");
    this.#socket?.terminate();
  }
}

test(`${CLIENTS} clients lose nothing without a word while workers die and scripts change (TW_SEED=${SEED})`, async (t) => {
  const server = await Server.start(SCRIPT, { workers: WORKERS });
  const ledger = new Ledger();
  const visitors = Array.from({ length: CLIENTS }, (_, number) => new Visitor(server, ledger, number));
  let failure;
  const all = Promise.all(visitors.map((visitor) => visitor.run())).catch((error) => (failure = error));
  t.after(() => visitors.forEach((visitor) => visitor.end()));

  /* Each has got so many more, and has come and gone meanwhile. */
  const more = async (what, count) => {
    const before = visitors.map((visitor) => visitor.received);
    const isFurther = (visitor, i) => visitor.received >= before[i] + count;
    await until(`${what}: every client has ${count} more`, () => failure || visitors.every(isFurther), patience(120_000)).catch((error) => {
      const late = visitors.filter((visitor, i) => !isFurther(visitor, i));
      throw new Error(`${error.message}: not ${late.map(({ number, channel }) => `${number} in ${channel}`).join(", ")}`);
    });
    if (failure) {
      throw failure;
    }
  };

  await more("at first", 10);
  for (let slot = 0; slot < WORKERS; slot++) {
    const { pid } = await server.worker(slot);
    wounded = true;
    process.kill(pid, "SIGKILL");
    await server.replaced(slot, pid);
    await more(`worker ${slot} died`, 10);
    wounded = false;
    const { status, body } = await server.reload();
    assert.equal(status, 200, body);
    await more("a reload", 10);
  }
  visitors.forEach((visitor) => visitor.end());
  await within("the end of all visits", all);
  assert.equal(failure, undefined);

  ledger.check();
  const sum = (which) => visitors.reduce((total, { counts }) => total + counts[which], 0);
  assert.ok(sum("recovered") > CLIENTS, `${sum("recovered")} recoveries`);
  assert.ok(sum("missed") > CLIENTS, `${sum("missed")} messages were missed and sent later`);
  assert.ok(sum("failed") + sum("gaps") > 0, "nobody was told of an epoch's end");
  assert.ok(ledger.entries > 500);
  await server.stop();
});
