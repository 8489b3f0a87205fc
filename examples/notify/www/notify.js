/* notify.js - the page of notes. SPDX-License-Identifier: MIT
 *
 * The messages are described at the head of devices.lua. A note is read when
 * the user's channel says so, which is when all devices hear it: what this page
 * asked for and has not heard yet, it asks for again when it is back. */

import { clock } from "/lib/format.js";
import { showStatus } from "/lib/status.js";
import { StreamSocket } from "/lib/stream.js";

const AT_ONCE = 100; // ids of one message

const byId = (id) => document.getElementById(id);

const notes = new Map(); // id -> { node, button, isRead }
const asked = new Set(); // ids of what is being marked
let socket = null;

function make(tag, className, text = "") {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}

/* Notes */

const unread = () => [...notes].filter(([, note]) => !note.isRead).map(([id]) => id);

function draw() {
  const count = unread().length;
  byId("badge").textContent = count > 0 ? `${count} unread` : "All read";
  byId("badge").classList.toggle("some", count > 0);
  byId("read-all").disabled = count === 0;
  byId("empty").hidden = notes.size > 0;
  document.title = count > 0 ? `(${count}) Notes · Tidewire` : "Notes · Tidewire";
}

function add({ id, from, title, text, at, read }) {
  const node = make("li", "note arriving");
  const by = make("p", "by");
  const time = make("time", "", clock(at));
  const button = make("button", "", "Mark as read");
  time.dateTime = new Date(at * 1000).toISOString();
  by.append(`${from}, `, time);
  button.type = "button";
  button.setAttribute("aria-label", `Mark as read: ${title}`);
  button.addEventListener("click", () => ask([id]));
  node.append(make("h2", "", title), make("p", "text", text), by, button);
  byId("list").prepend(node);
  notes.set(id, { node, button, isRead: false });
  paint(id, Boolean(read));
}

function paint(id, isRead) {
  const note = notes.get(id);
  const hadFocus = document.activeElement === note.button;
  note.isRead = isRead;
  note.node.classList.toggle("unread", !isRead);
  note.button.hidden = isRead;
  note.button.disabled = asked.has(id);
  if (hadFocus && isRead) {
    byId("list").focus(); // not to the top of the page
  }
}

function ask(ids) {
  ids.forEach((id) => asked.add(id));
  for (let from = 0; from < ids.length; from += AT_ONCE) {
    socket.send({ type: "read", ids: ids.slice(from, from + AT_ONCE) });
  }
  ids.filter((id) => notes.has(id)).forEach((id) => paint(id, notes.get(id).isRead));
}

/* What the server tells */

const handlers = {
  welcome() {
    const open = [...asked];
    if (open.length > 0) {
      ask(open);
    }
  },

  /* Known by its id: a note that is sent again is the same one. */
  note(message) {
    if (!notes.has(message.id)) {
      add(message);
    }
    draw();
  },

  read({ ids }) {
    for (const id of ids) {
      asked.delete(id);
      if (notes.has(id)) {
        paint(id, true);
      }
    }
    draw();
  },

  error({ text }) {
    console.warn(text);
  },
};

function connect(user) {
  byId("login").hidden = true;
  byId("inbox").hidden = false;
  byId("name").textContent = user;
  byId("command").textContent = [
    `curl ${location.origin}/notes/${encodeURIComponent(user)}`,
    '-H "Authorization: Bearer for-development"',
    `-d '{"id":"tea-1","title":"Your tea is ready","text":"With milk."}'`,
  ].join(" \\\n  ");
  draw();
  socket = new StreamSocket("/device");
  socket.addEventListener("open", () => socket.send({ type: "hello", since: socket.since("notes") }));
  socket.addEventListener("message", ({ detail }) => handlers[detail.type]?.(detail));
  socket.addEventListener("arrival", ({ detail: { missed } }) => missed && (byId("gap").hidden = false));
  socket.addEventListener("state", () => socket.state === "waiting" && checkLogin());
  showStatus(byId("status"), socket);
}

/* To a page, a token that has expired looks like a server that is away. */
async function checkLogin() {
  const me = await whoAmI();
  if (me && !me.user) {
    location.reload();
  }
}

/* Who is here */

/* What the server says of that, or null when it does not answer. */
async function whoAmI() {
  try {
    return await (await fetch("/me")).json();
  } catch {
    return null;
  }
}

byId("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  const body = JSON.stringify({ user: byId("user").value.trim() });
  const answer = await fetch("/login", { method: "POST", body }).catch(() => null);
  const { user, error } = (await answer?.json().catch(() => null)) ?? { error: "The server does not answer." };
  byId("problem").textContent = error ?? "";
  if (user) {
    connect(user);
  }
});

byId("logout").addEventListener("click", async () => {
  await fetch("/logout", { method: "POST" });
  location.reload();
});

byId("read-all").addEventListener("click", () => ask(unread()));

async function start() {
  const me = await whoAmI();
  if (me?.user) {
    connect(me.user);
    return;
  }
  byId("login").hidden = false;
  byId("problem").textContent = me === null ? "The server does not answer." : me.dev_login ? "" : me.error;
  byId("user").focus();
}

start();
