/* mob.mjs - clients that mean no good, many of them, in a process of their own:
 * neither their work nor their descriptors are the test's. The test forks this
 * file through Mob and calls what `orders` below has.
 *
 * What becomes of a client is told in a word: the status that it was answered
 * with, "close 1008", "FIN", or "RST".
 *
 * SPDX-License-Identifier: MIT */
import { fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { cont, next, ping, pong, packed, text, upgrade } from "../conformance/wire.mjs";
import { patience, pause, within } from "./harness.mjs";
import { Socket, cutAll, readResponse } from "./socket.mjs";

const FILE = fileURLToPath(import.meta.url);

/* ---- in the test's process ---- */

export class Mob {
  #child = fork(FILE, [], { stdio: "inherit" });
  #gone = once(this.#child, "exit").then(([code, signal]) => {
    throw new Error(`the mob ended: ${code ?? signal}`);
  });

  constructor(port) {
    this.#gone.catch(() => {});
    for (const name of Object.keys(orders)) {
      this[name] = (order = {}) => this.#tell(name, { port, ...order });
    }
  }

  async #tell(name, order) {
    const answer = once(this.#child, "message");
    this.#child.send({ name, order });
    const [{ result, error }] = await within(name, Promise.race([answer, this.#gone]), patience(120_000));
    if (error) {
      throw new Error(error);
    }
    return result;
  }

  end() {
    this.#child.kill("SIGKILL");
  }
}

/* ---- in the other one ---- */

const EXTENSION = { "Sec-WebSocket-Extensions": "permessage-deflate" };

/* A WebSocket at `path`, or where there is none, what is to become one. */
async function openOne(port, path) {
  const socket = await Socket.connect(port);
  if (path !== undefined) {
    await socket.write(upgrade(path, EXTENSION));
    const response = await readResponse(socket);
    if (response?.status !== 101) {
      throw new Error(`${path}: ${response?.status ?? socket.error ?? "FIN"}`);
    }
  }
  return socket;
}

const openAll = (count, port, path) => Promise.all(Array.from({ length: count }, () => openOne(port, path)));

async function readEnding(socket, path) {
  if (path === undefined) {
    const response = await readResponse(socket);
    return response ? String(response.status) : socket.error ? "RST" : "FIN";
  }
  for (;;) {
    const said = await next(socket);
    if (/^(close|FIN|RST)/.test(said)) {
      return said;
    }
  }
}

/* Waits for the end of a client. A reset may come in the middle of anything. */
async function ending(socket, path) {
  try {
    return await readEnding(socket, path);
  } catch (error) {
    if (socket.error) {
      return "RST";
    }
    throw error;
  } finally {
    socket.cut();
  }
}

/* Runs `play` for each number below `count`, `abreast` at a time. */
async function each(count, abreast, play) {
  let number = 0;
  const one = async () => {
    while (number < count) {
      await play(number++);
    }
  };
  await Promise.all(Array.from({ length: abreast }, one));
}

/* Reads, and keeps nothing. */
async function discard(socket) {
  while (await socket.read(Math.max(1, socket.pending)).catch(() => null));
}

const MASK = [0, 0, 0, 0];

/* What a flood is made of. The first is said once. */
const FLOODS = {
  frames: { again: text("!", { mask: MASK }) },
  pings: { again: ping("tide", { mask: MASK }) },
  pongs: { again: pong("tide", { mask: MASK }) },
  fragments: { first: text("", { mask: MASK, fin: false }), again: cont("", { mask: MASK, fin: false }) },
  packed: { again: packed(Buffer.alloc(65536), { mask: MASK }) },
};
const PIECE = 65_536; // bytes of a write, in whole frames

/* Text that compression makes little of. */
const noise = (size) => randomBytes(size).toString("base64").slice(0, size);

const orders = {
  /* `first`, then a byte of `bytes` every `ms` from each of them, until the
   * server ends it. */
  async drip({ port, path, count, first = "", bytes = "", ms }) {
    const sockets = await openAll(count, port, path);
    sockets.forEach((socket) => first && socket.write(first));
    const endings = Promise.all(sockets.map((socket) => ending(socket, path)));
    endings.catch(() => {}); // heard of below
    for (const byte of Buffer.from(bytes, "latin1")) {
      const living = sockets.filter((socket) => !socket.isEnded);
      if (living.length === 0) {
        break;
      }
      living.forEach((socket) => socket.write(Buffer.of(byte)));
      await pause(ms);
    }
    return endings;
  },

  /* Each of `sayings`, { path, bytes }, by a client of its own, all of it
   * `times` over. */
  async say({ port, sayings, times = 1 }) {
    const endings = [];
    await each(sayings.length * times, 64, async (i) => {
      const { path, bytes } = sayings[i % sayings.length];
      const socket = await openOne(port, path);
      socket.write(Buffer.from(bytes, "latin1")); // may be cut off
      endings[i] = await ending(socket, path);
    });
    return endings;
  },

  /* Subscribers that stop reading; they stay. */
  async stopReading({ port, path, count }) {
    const sockets = await openAll(count, port, path);
    for (const socket of sockets) {
      await next(socket);
      socket.pause();
    }
  },

  async publish({ port, path, count, size }) {
    const socket = await openOne(port, path);
    await next(socket);
    const message = text(noise(size), { mask: MASK });
    for (let i = 0; i < count; i++) {
      await socket.write(message);
    }
    await socket.write(ping());
    while ((await next(socket)) !== "pong");
    socket.cut();
  },

  /* Those who talk and never listen, until they are cut off. */
  async hoard({ port, path, count, size }) {
    const sockets = await openAll(count, port, path);
    const message = text(noise(size), { mask: MASK });
    const talk = async (socket) => {
      socket.pause();
      while (!socket.isEnded) {
        await socket.write(message);
      }
      socket.cut();
    };
    await Promise.all(sockets.map(talk));
  },

  /* At full speed for `ms`; then they are gone, with what is on its way. Tells
   * whether the server ended one before. */
  async flood({ port, path, count, kind, ms }) {
    const { first = Buffer.alloc(0), again } = FLOODS[kind];
    const piece = Buffer.concat(Array(Math.ceil(PIECE / again.length)).fill(again));
    const sockets = await openAll(count, port, path);
    let isOver = false;
    const talk = async (socket) => {
      discard(socket);
      await socket.write(first);
      while (!isOver && !socket.isEnded) {
        await socket.write(piece);
      }
    };
    await Promise.race([pause(ms), ...sockets.map(talk)]);
    isOver = true;
    const isCut = sockets.some((socket) => socket.isEnded);
    sockets.forEach((socket) => socket.reset());
    return isCut;
  },

  /* Resets each of `count`: at once, with half a request, or with a whole. */
  async reset({ port, path, count, abreast }) {
    const request = upgrade(path);
    const said = ["", request.slice(0, 40), request, "\r\n\r\n"];
    await each(count, abreast, async (i) => {
      const socket = await Socket.connect(port);
      socket.write(said[i % said.length]);
      socket.reset();
    });
  },

  /* All at once; they stay. */
  async crowd({ port, path, count }) {
    await openAll(count, port, path);
  },

  async leave() {
    cutAll();
  },
};

if (process.argv[1] === FILE && process.send) {
  process.on("disconnect", () => process.exit());
  process.on("message", async ({ name, order }) => {
    const answer = await orders[name](order).then((result) => ({ result }), (error) => ({ error: String(error.stack) }));
    process.send(answer);
  });
}
