/* crowd.mjs - very many WebSockets that are mostly silent, in a process of
 * their own: descriptors count by process. The test forks this file through
 * Crowd and speaks to it in messages.
 *
 * A member is asked with "?" and answers with a line of text; what it should be
 * is `expected` with the member's number for %d.
 *
 * SPDX-License-Identifier: MIT */
import { fork } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { fileURLToPath } from "node:url";
import { patience, within } from "./harness.mjs";

const FILE = fileURLToPath(import.meta.url);
const AT_ONCE = 64; // handshakes under way
const QUESTION = Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0x3f]); // "?", masked with zeros

/* How many descriptors a process may have. */
export function descriptors() {
  const limits = readFileSync("/proc/self/limits", "utf8");
  const [, hard] = /^Max open files +\S+ +(\S+)/m.exec(limits);
  return hard === "unlimited" ? Infinity : Number(hard);
}

/* ---- in the test's process ---- */

export class Crowd {
  #child;

  /* Opens `count` WebSockets from `address`, numbered from `first` on. */
  static async open(port, { count, first, address }) {
    const crowd = new Crowd();
    crowd.#child = fork(FILE, [], { stdio: "inherit" });
    await crowd.#tell({ open: { port, count, first, address } });
    return crowd;
  }

  async #tell(message) {
    const answer = once(this.#child, "message");
    this.#child.send(message);
    const [result] = await within(Object.keys(message)[0], answer, patience(120_000));
    if (result.error) {
      throw new Error(result.error);
    }
    return result;
  }

  /* Asks every member: { right, wrong (some of the answers), closed }. */
  ask(expected) {
    return this.#tell({ ask: { expected } });
  }

  close() {
    this.#child.kill("SIGKILL");
  }
}

/* ---- in the other one ---- */

class Member {
  #text = "";
  onLine = () => {};
  isClosed = false;

  constructor(socket, number) {
    this.socket = socket;
    this.number = number;
    socket.on("data", (data) => this.#take(data));
    socket.on("error", () => {});
  }

  /* Frames of the server: two bytes of head, then text of less than 126. */
  #take(data) {
    this.#text += data.toString("latin1");
    while (this.#text.length >= 2 && this.#text.length >= 2 + this.#text.charCodeAt(1)) {
      const size = this.#text.charCodeAt(1);
      const [opcode, line] = [this.#text.charCodeAt(0) & 15, this.#text.slice(2, 2 + size)];
      this.#text = this.#text.slice(2 + size);
      opcode === 1 && this.onLine(line);
    }
  }

  ask() {
    return new Promise((resolve) => {
      this.onLine = resolve;
      this.socket.once("close", () => resolve(null));
      this.socket.write(QUESTION);
    });
  }
}

async function openOne({ port, address }, number) {
  const socket = connect({ port, host: "127.0.0.1", localAddress: address });
  socket.write(
    `GET /?n=${number} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
  );
  let head = "";
  while (!head.includes("\r\n\r\n")) {
    const [data] = await once(socket, "data");
    head += data.toString("latin1");
  }
  if (!head.startsWith("HTTP/1.1 101 ")) {
    throw new Error(head);
  }
  const member = new Member(socket, number);
  socket.once("close", () => (member.isClosed = true));
  return member;
}

/* Runs `play` for each number below `count`, some at a time. */
async function each(count, play) {
  let next = 0;
  const one = async () => {
    while (next < count) {
      await play(next++);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
}

const members = [];

const orders = {
  async open(order) {
    await each(order.count, async (i) => members.push(await openOne(order, order.first + i)));
    return {};
  },
  async ask({ expected }) {
    let right = 0;
    const wrong = [];
    await each(members.length, async (i) => {
      const member = members[i];
      const line = member.isClosed ? null : await member.ask();
      if (line === expected.replace("%d", member.number)) {
        right++;
      } else if (wrong.length < 10) {
        wrong.push(`${member.number}: ${line}`);
      }
    });
    return { right, wrong, closed: members.filter((member) => member.isClosed).length };
  },
};

if (process.argv[1] === FILE && process.send) {
  process.on("disconnect", () => process.exit());
  process.on("message", async (message) => {
    const [[name, order]] = Object.entries(message);
    process.send(await orders[name](order).catch((error) => ({ error: String(error.stack) })));
  });
}
