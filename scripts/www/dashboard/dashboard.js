/* dashboard.js - the dashboard's page. SPDX-License-Identifier: MIT
 *
 * The server sends the newest of each figure at once, and then every new one;
 * what was before is known only to this page, which keeps five minutes of it. A
 * figure that the server does not have is missing in the sample and shown as a
 * dash. */

import { ChartBoard } from "/lib/board.js";
import { drawSparkline } from "/lib/canvas.js";
import { Figures } from "/lib/figures.js";
import { byteRate, bytes, count, duration, fixed, percent, rate } from "/lib/format.js";
import { ReconnectingSocket } from "/lib/socket.js";
import { showStatus } from "/lib/status.js";

const KEEP = 310; // samples: the longest span and a little more
const CORE_HISTORY = 60;
const MANY_CORES = 24;

const samples = [];
const board = new ChartBoard(samples);
const byId = (id) => document.getElementById(id);
const list = (value) => (Array.isArray(value) ? value : []);

/* Charts */

const CHARTS = {
  cpu: {
    series: [{ value: (s) => s.cpu?.total, color: "--accent" }],
    format: percent,
    max: 100,
  },
  memory: {
    series: [{ value: (s) => s.memory?.used, color: "--accent" }],
    format: bytes,
    max: (s) => s?.memory?.total,
    floor: 1024 ** 3,
  },
  network: {
    series: [
      { label: "In", value: (s) => s.network?.received, color: "--accent" },
      { label: "Out", value: (s) => s.network?.sent, color: "--moon", fill: false },
      { label: "Local", value: (s) => s.network?.loopback, color: "--violet", fill: false, dash: [2, 4] },
    ],
    format: byteRate,
    floor: 1024,
    binary: true,
  },
  load: {
    series: [
      { label: "1 min", value: (s) => s.load?.[0], color: "--accent" },
      { label: "5 min", value: (s) => s.load?.[1], color: "--moon", fill: false },
      { label: "15 min", value: (s) => s.load?.[2], color: "--violet", fill: false },
    ],
    format: fixed,
    floor: 1,
  },
  messages: {
    series: [
      { label: "Delivered", value: (s) => s.server?.deliveries, color: "--accent" },
      { label: "Received", value: (s) => s.server?.messages_in, color: "--moon", fill: false },
      { label: "Published", value: (s) => s.server?.publications, color: "--violet", fill: false },
    ],
    format: rate,
    floor: 4,
  },
  connections: {
    series: [{ value: (s) => s.server?.connections, color: "--accent" }],
    format: rate,
    floor: 4,
  },
};

for (const [name, options] of Object.entries(CHARTS)) {
  board.add(document.querySelector(`[data-chart="${name}"] figure`), options);
}

for (const input of document.querySelectorAll('input[name="span"]')) {
  input.addEventListener("change", () => board.setSpan(Number(input.value)));
}
// Browsers restore a chosen radio button when a page is loaded again.
board.setSpan(Number(document.querySelector('input[name="span"]:checked').value));

/* Readings */

function setValue(name, text) {
  document.querySelector(`[data-value="${name}"]`).textContent = text;
}

function showValues({ cpu, memory, network, load, server }) {
  setValue("cpu", percent(cpu?.total));
  setValue("memory", percent((100 * memory?.used) / memory?.total));
  setValue("memory-note", memory ? `${bytes(memory.used)} of ${bytes(memory.total)}` : "");
  setValue("received", byteRate(network?.received));
  setValue("sent", byteRate(network?.sent));
  setValue("loopback", byteRate(network?.loopback));
  setValue("load1", fixed(load?.[0]));
  setValue("load5", fixed(load?.[1]));
  setValue("load15", fixed(load?.[2]));
  setValue("deliveries", rate(server?.deliveries));
  setValue("messages-in", rate(server?.messages_in));
  setValue("publications", rate(server?.publications));
  setValue("connections", count(server?.connections));
}

function showFacts({ uptime, generation, server }) {
  const workers = list(server?.workers).length;
  const facts = [
    uptime ? `Machine up ${duration(uptime)}` : "",
    workers ? `${workers} ${workers === 1 ? "worker" : "workers"}` : "",
    generation ? `script generation ${generation}` : "",
  ];
  byId("facts").textContent = facts.filter(Boolean).join(" · ");
}

/* Cores */

const cores = []; // { value, canvas, history }

function addCore(number) {
  const item = document.createElement("li");
  const name = document.createElement("span");
  const value = document.createElement("b");
  const canvas = document.createElement("canvas");
  name.className = "name";
  name.textContent = `Core ${number}`;
  canvas.setAttribute("aria-hidden", "true");
  item.append(canvas, name, value);
  byId("cores").append(item);
  cores.push({ value, canvas, history: [] });
}

function showCores(cpu) {
  const use = list(cpu?.cores);
  while (cores.length < use.length) {
    addCore(cores.length);
  }
  byId("cores").classList.toggle("many", cores.length > MANY_CORES);
  byId("core-note").textContent = cores.length ? `${cores.length}, last minute` : "";
  use.forEach((percentage, i) => {
    const core = cores[i];
    core.history.push(percentage);
    core.history.splice(0, core.history.length - CORE_HISTORY);
    core.value.textContent = percent(percentage);
  });
  drawCores();
}

function drawCores() {
  for (const { canvas, history } of cores) {
    drawSparkline(canvas, history, { max: 100, length: CORE_HISTORY, color: "--accent" });
  }
}

document.addEventListener("themechange", drawCores);
new ResizeObserver(drawCores).observe(byId("cores"));

/* Workers: rows are kept and only their texts change, so that a selection or
 * a screen reader in the table is not thrown out each second. */

const COLUMNS = [
  (worker) => count(worker.pid).replaceAll(",", ""),
  (worker) => count(worker.generation),
  (worker) => count(worker.connections),
  (worker) => rate(worker.messages_in),
  (worker) => rate(worker.deliveries),
  (worker) => percent(worker.cpu),
  (worker) => bytes(worker.memory),
  (worker) => duration(worker.uptime),
];
const CPU_COLUMN = 5;
const rows = new Map(); // slot -> { row, texts, meter }

function addRow(slot) {
  const row = byId("workers").insertRow();
  const head = document.createElement("th");
  head.scope = "row";
  head.textContent = slot;
  row.append(head);
  const texts = COLUMNS.map(() => row.insertCell().appendChild(document.createTextNode("")));
  const track = document.createElement("span");
  const meter = document.createElement("i");
  track.className = "meter";
  track.append(meter);
  texts[CPU_COLUMN].before(track);
  rows.set(slot, { row, texts, meter });
  return rows.get(slot);
}

function showWorkers(workers) {
  const seen = new Set();
  for (const worker of workers) {
    const { texts, meter } = rows.get(worker.slot) ?? addRow(worker.slot);
    seen.add(worker.slot);
    texts.forEach((text, i) => (text.data = COLUMNS[i](worker)));
    meter.style.transform = `scaleX(${Math.min(1, (worker.cpu ?? 0) / 100)})`;
  }
  for (const [slot, { row }] of rows) {
    if (!seen.has(slot)) {
      row.remove();
      rows.delete(slot);
    }
  }
  const note = workers.length ? "one process each, nothing shared" : "no figures from the server";
  byId("worker-note").textContent = note;
}

/* The line */

function show(sample) {
  samples.push(sample);
  samples.splice(0, samples.length - KEEP);
  showValues(sample);
  showFacts(sample);
  showCores(sample.cpu);
  showWorkers(list(sample.server?.workers));
  board.changed();
}

// A sample comes every second: ten seconds without one, and the line is dead.
const socket = new ReconnectingSocket("/dashboard/ws", { silence: 10_000 });
const figures = new Figures();

socket.addEventListener("message", ({ detail }) => {
  const sample = figures.take(detail);
  if (sample) {
    show(sample);
  }
});
socket.addEventListener("state", () => {
  document.body.classList.toggle("stale", socket.state !== "online" && samples.length > 0);
});
showStatus(byId("status"), socket);
