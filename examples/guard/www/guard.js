/* guard.js - the page of the guarded room. SPDX-License-Identifier: MIT
 *
 * The messages are described at the head of room.lua. What was sent and not
 * answered is sent again when the line is back; by its reference the server
 * knows it. */

import { clock } from "/lib/format.js";
import { showStatus } from "/lib/status.js";
import { StreamSocket } from "/lib/stream.js";
import { Latency, milliseconds } from "/latency.js";

const NAMES = { redis: "Redis", moderation: "moderation" };

const byId = (id) => document.getElementById(id);

const room = /^#[A-Za-z0-9-]{1,24}$/.test(location.hash) ? location.hash.slice(1) : "tea";
const pending = new Map(); // ref -> { node, text, sentAt }
const latency = new Latency(byId("figures"), [
  ["redis", "Redis", "--violet"],
  ["moderation", "Moderation", "--moon"],
  ["seen", "Until you see your own", "--accent"],
]);
let socket = null;
let me = "";

function make(tag, className, text = "") {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}

/* Messages */

function draw(node, kind, { name, text, at, tags = [], took = "" }) {
  const by = make("p", "by");
  by.append(make("b", "", name), ...(at ? [make("time", "", clock(at, true))] : []), ...tags.map((tag) => make("span", "tag", tag)));
  node.className = `message ${kind}`;
  node.replaceChildren(by, make("div", "text", text), make("p", "took", took));
}

function place(node) {
  const log = byId("log");
  const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
  log.append(node);
  if (isAtEnd) {
    log.scrollTop = log.scrollHeight;
  }
}

function words(took = {}) {
  return Object.keys(NAMES).filter((who) => who in took).map((who) => `${NAMES[who]} ${milliseconds(took[who])}`).join(" · ");
}

function measure(took = {}) {
  Object.entries(took).forEach(([who, ms]) => latency.add(who, ms));
}

/* What this page sent under that reference; it is on its way no longer. */
function settle(ref) {
  const sent = pending.get(ref);
  pending.delete(ref);
  return sent;
}

const handlers = {
  welcome({ name }) {
    byId("title").textContent = `#${room}, as ${name}`;
    pending.forEach(({ text }, ref) => socket.send({ type: "say", text, ref }));
  },

  /* It stands where the room has it: behind what others said meanwhile. */
  said({ name, text, at, ref, took, unchecked = [] }) {
    const sent = name === me ? settle(ref) : undefined;
    const node = sent?.node ?? make("li", "");
    const tags = unchecked.map((who) => `not checked by ${NAMES[who]}`);
    draw(node, "", { name, text, at, tags, took: words(took) });
    place(node);
    if (sent) {
      measure(took);
      latency.add("seen", performance.now() - sent.sentAt);
    }
  },

  refused({ text, ref, took }) {
    const sent = settle(ref);
    if (sent) {
      draw(sent.node, "refused", { name: me, text: sent.text, tags: [text], took: words(took) });
      measure(took);
    }
  },
};

function say(text) {
  const ref = Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (!socket.send({ type: "say", text, ref })) {
    return false;
  }
  const node = make("li", "");
  draw(node, "pending", { name: me, text, took: "being checked…" });
  place(node);
  pending.set(ref, { node, text, sentAt: performance.now() });
  return true;
}

/* Coming in */

function enter(name) {
  me = name;
  byId("enter").hidden = true;
  byId("composer").hidden = false;
  byId("text").focus();
  socket = new StreamSocket(`/room/${room}?name=${encodeURIComponent(name)}`);
  socket.addEventListener("open", () => socket.send({ type: "hello", since: socket.since("room") }));
  socket.addEventListener("message", ({ detail }) => handlers[detail.type]?.(detail));
  socket.addEventListener("arrival", ({ detail: { missed } }) => missed && place(make("li", "explained", "Something may be missing here.")));
  showStatus(byId("status"), socket);
}

byId("enter").addEventListener("submit", (event) => {
  event.preventDefault();
  enter(byId("name").value);
});

byId("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = byId("text").value.trim();
  if (text !== "" && say(text)) {
    byId("text").value = "";
  }
});

async function tellPolicy() {
  const policy = await (await fetch("/policy")).json();
  const fate = (what) => (what === "pass" ? "messages pass, marked" : "messages are refused");
  byId("policy").textContent = `Without Redis ${fate(policy.redis)}; without the service ${fate(policy.moderation)}.`;
}

byId("title").textContent = `#${room}`;
byId("name").focus();
tellPolicy().catch(() => {});
