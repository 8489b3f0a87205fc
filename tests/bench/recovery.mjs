#!/usr/bin/env node
/* recovery.mjs PROGRAM [clients [missed]] - what it costs when very many come
 * back at once and each gets what it missed, against subscribing plainly in the
 * same run; and the bytes of a publication that is kept.
 *
 * One worker. All clients are connected before; then each sends one message, to
 * which a script answers by subscribing, and the time runs until the last one
 * has all that it is to get. CPU is the worker's. Of five rounds the median.
 *
 * SPDX-License-Identifier: MIT */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { request } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const [program, clients = "1000", missed = "20"] = process.argv.slice(2);
const COUNT = Number(clients), MISSED = Number(missed), ROUNDS = 5, KEPT = 100_000;
const SCRIPT = fileURLToPath(new URL("./recovery.lua", import.meta.url));

if (!program) {
  console.error("usage: recovery.mjs PROGRAM [clients [missed]]");
  process.exit(2);
}

/* ---- the server ---- */

const folder = mkdtempSync(join(tmpdir(), "tw-bench-"));
const flags = ["--listen", "127.0.0.1:0", "--admin", "off", "--workers", "1", "--runtime-dir", join(folder, "run"), "--log-format", "logfmt"];
const server = spawn(program, ["run", SCRIPT, ...flags], { stdio: ["ignore", "pipe", "pipe"] });
process.on("exit", () => {
  server.kill("SIGKILL");
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

function ask(path) {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath: join(folder, "run", "admin.sock"), path, headers: { host: "localhost" } }, (answer) => {
      let body = "";
      answer.setEncoding("utf8").on("data", (text) => (body += text));
      answer.on("end", () => resolve(body));
    });
    sent.on("error", reject).end();
  });
}

const pid = JSON.parse(await ask("/api/status")).workers[0].pid;
const cpu = () => Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ")[0]) / 1e6;
const resident = () => Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]) * 1024;

async function metric(name) {
  const lines = (await ask("/metrics")).split("\n").filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
}

/* ---- clients ---- */

/* Masked with zeros: as it is. */
function frameOf(text) {
  const body = Buffer.from(text);
  return Buffer.concat([Buffer.from([0x81, 0x80 | body.length, 0, 0, 0, 0]), body]);
}

class Client {
  #rest = Buffer.alloc(0);
  texts = 0;
  wanted = 0;
  onDone = () => {};

  constructor(socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (data) => this.#take(data));
  }

  #take(data) {
    let bytes = this.#rest.length > 0 ? Buffer.concat([this.#rest, data]) : data;
    for (;;) {
      const size = bytes.length < 2 ? 0 : bytes[1] < 126 ? 2 + bytes[1] : bytes.length < 4 ? 0 : 4 + bytes.readUInt16BE(2);
      if (size === 0 || bytes.length < size) {
        break;
      }
      if (bytes[0] === 0x81) {
        this.texts++ === 0 && (this.first = bytes.subarray(bytes[1] < 126 ? 2 : 4, size).toString());
        this.texts === this.wanted && this.onDone();
      }
      bytes = bytes.subarray(size);
    }
    this.#rest = bytes;
  }

  /* Settles when so many texts have come after this one. */
  say(text, wanted) {
    Object.assign(this, { texts: 0, wanted });
    const done = new Promise((resolve) => (this.onDone = resolve));
    this.socket.write(frameOf(text));
    return done;
  }
}

function open() {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1" });
    socket.write(
      "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    );
    socket.once("data", (data) => (data.toString("latin1").startsWith("HTTP/1.1 101 ") ? resolve(new Client(socket)) : reject(new Error(data))));
    socket.on("error", reject);
  });
}

const all = [];
while (all.length < COUNT) {
  all.push(...(await Promise.all(Array.from({ length: Math.min(100, COUNT - all.length) }, open))));
}
const publisher = await open();

async function publish(channel, count) {
  for (let left = count; left > 0; left -= 1000) {
    await publisher.say(JSON.stringify({ channel, publish: Math.min(left, 1000) - 1 }), 1);
  }
  return JSON.parse(publisher.first);
}

/* All at once. */
async function measure(text, wanted) {
  const began = performance.now(), before = cpu();
  await Promise.all(all.map((client) => client.say(text, wanted)));
  return { ms: performance.now() - began, cpu: cpu() - before };
}

const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];

const plain = [], recovered = [];
const { epoch, offset } = await publish("bench", MISSED);
const since = JSON.stringify({ since: { epoch, offset: offset - MISSED } });
for (let round = 0; round <= ROUNDS; round++) {
  const [a, b] = [await measure("{}", 1), await measure(since, 1 + MISSED)];
  if (round > 0) { // the first warms up
    plain.push(a);
    recovered.push(b);
  }
}
if (!all.every((client) => JSON.parse(client.first).recovered)) {
  throw new Error("somebody has not recovered");
}

const of = (rounds, what) => median(rounds.map((round) => round[what]));
const row = (name, rounds) =>
  console.log(`${name.padEnd(12)} ${of(rounds, "ms").toFixed(0).padStart(7)} ms  ${of(rounds, "cpu").toFixed(0).padStart(7)} ms CPU  ${((1000 * of(rounds, "cpu")) / COUNT).toFixed(1).padStart(6)} µs CPU a client`);
console.log(`${COUNT} clients at once, ${MISSED} publications of 100 bytes missed by each, median of ${ROUNDS}`);
row("plain", plain);
row("recovering", recovered);
const ratio = median(plain.map((one, i) => recovered[i].cpu / one.cpu));
const each = (1e6 * (of(recovered, "cpu") - of(plain, "cpu"))) / COUNT / MISSED;
console.log(`ratio of CPU ${ratio.toFixed(2)}; ${each.toFixed(0)} ns CPU a publication sent again`);

const before = { bytes: await metric("tidewire_history_bytes"), resident: resident() };
await publish("fill", KEPT);
const after = { bytes: await metric("tidewire_history_bytes"), resident: resident() };
console.log(`${KEPT} kept publications of 100 bytes: ${((after.bytes - before.bytes) / KEPT).toFixed(0)} bytes each as counted, ${((after.resident - before.resident) / KEPT).toFixed(0)} resident`);
all.forEach((client) => client.socket.destroy());
process.exit(0);
