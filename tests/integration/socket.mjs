/* socket.mjs - a TCP connection whose bytes are awaited with deadlines.
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { patience, within } from "./harness.mjs";

const open = new Set();

/* Cuts whatever a test left open. */
export function cutAll() {
  open.forEach((socket) => socket.cut());
}

export class Socket {
  #net;
  #got = Buffer.alloc(0);
  #wake = () => {};
  isEnded = false; // FIN or RST was seen
  error = null; // ECONNRESET and the like

  static async connect(port, options = {}) {
    const socket = new Socket();
    const net = connect({ port, host: "127.0.0.1", allowHalfOpen: true, ...options });
    socket.#net = net.setNoDelay(true);
    open.add(socket);
    net.on("data", (data) => socket.#more(data));
    net.on("end", () => socket.#end(null));
    net.on("error", (error) => socket.#end(error));
    net.on("close", () => {
      open.delete(socket);
      socket.#end(socket.error);
    });
    await within("a connection", once(net, "connect"));
    net.unref(); // what a failed test leaves open keeps nobody
    return socket;
  }

  #more(data) {
    this.#got = Buffer.concat([this.#got, data]);
    this.#wake();
  }

  #end(error) {
    this.error ??= error;
    this.isEnded = true;
    this.#wake();
  }

  get pending() {
    return this.#got.length;
  }

  get localPort() {
    return this.#net.localPort;
  }

  write(data) {
    return new Promise((resolve) => this.#net.write(data, () => resolve()));
  }

  /* Byte by byte; what is long only at its ends, and in pieces between. */
  async drip(data) {
    const bytes = Buffer.from(data);
    for (let at = 0; at < bytes.length && !this.error; ) {
      const isMiddle = bytes.length > 512 && at >= 64 && at < bytes.length - 64;
      const size = isMiddle ? Math.min(1999, bytes.length - 64 - at) : 1;
      await this.write(bytes.subarray(at, (at += size)));
    }
  }

  /* Resolves once `enough` answers true or the peer has ended. */
  async #wait(what, enough, ms) {
    const ready = new Promise((resolve) => {
      this.#wake = () => (enough() || this.isEnded) && resolve();
      this.#wake();
    });
    await within(what, ready, ms);
    return enough();
  }

  #take(count) {
    const taken = this.#got.subarray(0, count);
    this.#got = this.#got.subarray(count);
    return taken;
  }

  /* Exactly `count` bytes, or null when the peer ended before any of them. */
  async read(count, ms = patience()) {
    if (await this.#wait(`${count} bytes`, () => this.#got.length >= count, ms)) {
      return this.#take(count);
    }
    assert.equal(this.#got.length, 0, `ended in the middle: ${this.#got}`);
    return null;
  }

  /* Up to and with `mark`, as text; null when the peer ended before it. */
  async readTo(mark, ms = patience()) {
    if (await this.#wait(JSON.stringify(mark), () => this.#got.includes(mark), ms)) {
      return this.#take(this.#got.indexOf(mark) + mark.length).toString("latin1");
    }
    return null;
  }

  /* All that comes until the peer ends. */
  async readAll(ms = patience()) {
    await this.#wait("the peer's end", () => false, ms);
    return this.#take(this.#got.length);
  }

  /* Whether the peer ended in order: FIN and no reset. */
  async isFinished(ms = patience()) {
    await this.#wait("the peer's end", () => false, ms);
    return this.error === null;
  }

  /* A reader that is slow: nothing is taken from the kernel. */
  pause() {
    this.#net.pause();
  }

  resume() {
    this.#net.resume();
  }

  finish() {
    this.#net.end();
  }

  reset() {
    this.#net.resetAndDestroy();
  }

  cut() {
    open.delete(this);
    this.#net.destroy();
  }
}

/* One response: { status, reason, headers, names, body }. `headers` has
 * lower-case names; lines of one name are joined. null when the peer ended
 * instead. `isHead`: no body follows, whatever the head says. */
export async function readResponse(socket, isHead = false) {
  const head = await socket.readTo("\r\n\r\n");
  if (head === null) {
    return null;
  }
  const [line, ...lines] = head.slice(0, -4).split("\r\n");
  const [, version, status, reason] = /^HTTP\/(\d\.\d) (\d{3}) (.*)$/.exec(line) ?? assert.fail(`no status line: ${line}`);
  const headers = {};
  for (const field of lines) {
    const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+): ?(.*)$/.exec(field) ?? assert.fail(`no header: ${field}`);
    const key = name.toLowerCase();
    headers[key] = key in headers ? `${headers[key]}, ${value}` : value;
  }
  const isBare = isHead || status[0] === "1" || status === "204" || status === "304";
  let body = Buffer.alloc(0);
  if (!isBare && "content-length" in headers) {
    body = (await socket.read(Number(headers["content-length"]))) ?? body;
  } else if (!isBare) {
    body = await socket.readAll();
  }
  return { version, status: Number(status), reason, headers, lines, body: body.toString() };
}
