/* client.mjs - a WebSocket client (npm ws) whose messages are awaited.
 *
 * Against lab.lua a client also runs Lua in the server: `evaluate` in a
 * protected call of on_message, `execute` as on_message itself.
 *
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import WebSocket from "ws";
import { patience, within } from "./harness.mjs";

export const LAB = fileURLToPath(new URL("./lab.lua", import.meta.url));

const open = new Set();

export function dropAll() {
  open.forEach((client) => client.drop());
}

/* What the server answered instead of 101. */
export class Refused extends Error {
  constructor(status, body, headers) {
    super(`refused with ${status}: ${body}`);
    Object.assign(this, { status, body, headers });
  }
}

export class Client {
  #socket;
  #queue = [];
  #waiting = [];
  #replies = new Map();
  #serial = 0;
  pings = 0;

  static async open(server, path = "/", { protocols = [], ...options } = {}) {
    const client = new Client();
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}${path}`, protocols, { perMessageDeflate: false, ...options });
    client.#socket = socket;
    socket.on("message", (data, isBinary) => client.#take(isBinary ? data : data.toString()));
    socket.on("ping", () => client.pings++);
    client.closed = new Promise((resolve) => {
      socket.on("close", (code, reason) => {
        open.delete(client);
        client.end = { code, reason: reason.toString() };
        resolve(client.end);
        client.#waiting.splice(0).forEach(({ reject }) => reject(new Error(`closed: ${code} ${reason}`)));
        client.#replies.forEach(({ reject }) => reject(new Error(`closed: ${code} ${reason}`)));
      });
    });
    const opened = new Promise((resolve, reject) => {
      socket.on("open", resolve);
      socket.on("error", reject);
      socket.on("unexpected-response", (_, response) => {
        let body = "";
        response.setEncoding("utf8").on("data", (text) => (body += text));
        response.on("end", () => reject(new Refused(response.statusCode, body, response.headers)));
      });
    });
    await within(`a WebSocket at ${path}`, opened);
    open.add(client);
    return client;
  }

  /* Opens connections until one lands on worker `slot`, as lab.lua tells. */
  static async onWorker(server, slot, path = "/", options = {}) {
    for (let attempt = 0; attempt < 500; attempt++) {
      const client = await Client.open(server, path, options);
      const [worker] = await client.evaluate("return tw.worker");
      if (worker === slot) {
        return client;
      }
      client.drop();
    }
    throw new Error(`no connection landed on worker ${slot}`);
  }

  #take(data) {
    const reply = typeof data === "string" && /^=(\d+) (.*)$/s.exec(data);
    if (reply && this.#replies.has(Number(reply[1]))) {
      const { resolve } = this.#replies.get(Number(reply[1]));
      this.#replies.delete(Number(reply[1]));
      resolve(JSON.parse(reply[2]));
      return;
    }
    const waiter = this.#waiting.shift();
    waiter ? waiter.resolve(data) : this.#queue.push(data);
  }

  get pending() {
    return this.#queue.length;
  }

  send(data) {
    this.#socket.send(data);
    return this;
  }

  /* The next message: text as a string, bytes as a Buffer. */
  next(ms = patience()) {
    if (this.#queue.length > 0) {
      return Promise.resolve(this.#queue.shift());
    }
    if (this.end) {
      return Promise.reject(new Error(`closed: ${this.end.code} ${this.end.reason}`));
    }
    let waiter;
    const message = new Promise((resolve, reject) => this.#waiting.push((waiter = { resolve, reject })));
    return within("a message", message, ms).catch((error) => {
      this.#waiting = this.#waiting.filter((one) => one !== waiter);
      throw error;
    });
  }

  async take(count) {
    const messages = [];
    while (messages.length < count) {
      messages.push(await this.next());
    }
    return messages;
  }

  async expect(...messages) {
    assert.deepEqual(await this.take(messages.length), messages);
  }

  async ping() {
    const pong = new Promise((resolve) => this.#socket.once("pong", resolve));
    this.#socket.ping();
    await within("a pong", pong);
  }

  /* Nothing is on its way: what was sent before the answer to a ping is here. */
  async expectNone() {
    await this.ping();
    assert.deepEqual(this.#queue, []);
  }

  /* Runs Lua in on_message: `conn`, `msg`, `tw` and `lab` are there. Gives the
   * list of results; an error object is { code, message }. A raise rejects. */
  async evaluate(code, ms = patience()) {
    const serial = ++this.#serial;
    const reply = new Promise((resolve, reject) => this.#replies.set(serial, { resolve, reject }));
    this.send(`?${serial} ${code}`);
    const { results, raised } = await within(`the answer to ${code}`, reply, ms);
    if (raised !== undefined) {
      throw new Error(raised);
    }
    return results;
  }

  /* The first result, where it is no failure. */
  async value(code) {
    const [value, error] = await this.evaluate(code);
    assert.ok(!error?.code, `${code}: ${error?.code}: ${error?.message}`);
    return value;
  }

  /* The same without protection and without an answer. */
  execute(code) {
    return this.send(`!${code}`);
  }

  /* Without arguments the close frame is empty. */
  async close(code, reason) {
    this.#socket.close(code, reason);
    return within("the closing handshake", this.closed);
  }

  /* Waits for a close by the server. */
  async expectClose(code, reason) {
    const end = await within(`a close with ${code}`, this.closed);
    assert.equal(end.code, code, end.reason);
    reason !== undefined && assert.equal(end.reason, reason);
  }

  get isOpen() {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  /* A slow reader: the kernel's buffers fill. */
  pause() {
    this.#socket.pause();
  }

  resume() {
    this.#socket.resume();
  }

  /* Ends TCP without a word. */
  drop() {
    open.delete(this);
    this.#socket.terminate();
  }
}
