/* home.js - the front page's live figures. SPDX-License-Identifier: MIT
 *
 * Two listeners: the dashboard's figures, and the chat's list of rooms (which
 * a connection hears before it enters any). */

import { drawSparkline } from "/lib/canvas.js";
import { Figures } from "/lib/figures.js";
import { count, percent, rate } from "/lib/format.js";
import { RoomList } from "/lib/rooms.js";
import { ReconnectingSocket } from "/lib/socket.js";
import { showStatus } from "/lib/status.js";

const HISTORY = 40; // seconds
const ROOMS_SHOWN = 3;

const byId = (id) => document.getElementById(id);
const cpu = [];
const rooms = new RoomList();

function drawCpu() {
  // The axis follows a quiet machine down, but not into its noise.
  const max = Math.max(20, ...cpu);
  drawSparkline(byId("spark"), cpu, { max, length: HISTORY, color: "--accent" });
}

function showSample({ cpu: use, generation, server }) {
  if (typeof use?.total === "number") {
    cpu.push(use.total);
    cpu.splice(0, cpu.length - HISTORY);
  }
  byId("cpu").textContent = percent(use?.total);
  byId("connections").textContent = count(server?.connections);
  byId("deliveries").textContent = rate(server?.deliveries);
  byId("workers").textContent = Array.isArray(server?.workers) ? count(server.workers.length) : "–";
  byId("generation").textContent = count(generation);
  drawCpu();
}

function roomItem({ name, count: people }) {
  const item = document.createElement("li");
  const label = document.createElement("span");
  const number = document.createElement("span");
  label.className = "name";
  label.textContent = name;
  number.className = people > 0 ? "people busy" : "people";
  number.textContent = people > 0 ? `${people} here` : "empty";
  item.append(label, number);
  return item;
}

function showRooms() {
  const busiest = rooms.sorted().sort((a, b) => b.count - a.count);
  byId("rooms").replaceChildren(...busiest.slice(0, ROOMS_SHOWN).map(roomItem));
}

const dashboard = new ReconnectingSocket("/dashboard/ws", { silence: 10_000 });
const figures = new Figures();
dashboard.addEventListener("message", ({ detail }) => {
  const sample = figures.take(detail);
  if (sample) {
    showSample(sample);
  }
});
showStatus(byId("status"), dashboard);

const chat = new ReconnectingSocket("/chat/ws");
chat.addEventListener("message", ({ detail }) => {
  if (detail.type === "welcome" || detail.type === "rooms") {
    rooms.hear(detail.rooms);
    showRooms();
  }
});

document.addEventListener("themechange", drawCpu);
new ResizeObserver(drawCpu).observe(byId("spark"));
