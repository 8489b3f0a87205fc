/* chat.js - the chat's page. SPDX-License-Identifier: MIT
 *
 * The messages are described at the head of scripts/chat.lua. The page keeps
 * what it has seen; the server keeps nothing, so what was said while this page
 * was away is not known here, and the page says so. */

import { Entrance } from "/chat/entrance.js";
import { Log, paintAvatar } from "/chat/log.js";
import { RoomPanel } from "/chat/room-panel.js";
import { OthersTyping, OwnTyping } from "/chat/typing.js";
import { RoomList } from "/lib/rooms.js";
import { ReconnectingSocket } from "/lib/socket.js";
import { showStatus } from "/lib/status.js";

const HOME = "lobby";
const NICK_KEY = "tidewire-nick";
const CONFIRM_WITHIN = 10_000; // ms until a message that did not come back is in doubt
const COUNT_FROM = 100; // characters left from which on they are told

const byId = (id) => document.getElementById(id);

const me = { id: "", nick: recall(), room: null };
const limits = { text: 500 };
const rooms = new RoomList();
const log = new Log(byId("log"), byId("to-end"));
const others = new OthersTyping(byId("typing"));
const pending = new Map(); // ref -> { node, text, timer }
let nextRef = 1;
let lostAt = 0;
let unseen = 0;

const socket = new ReconnectingSocket("/chat/ws", { silence: 60_000 });
const typing = new OwnTyping((on) => socket.send({ type: "typing", on }));
const panel = new RoomPanel((room) => {
  typing.stop();
  join(room);
});
const entrance = new Entrance((nick) => {
  if (me.room === null) {
    me.nick = nick;
    join(addressedRoom());
  } else {
    socket.send({ type: "nick", nick });
  }
  byId("text").focus();
});

/* Storage may be forbidden; then the name lasts as long as the page. */
function recall() {
  try {
    return localStorage.getItem(NICK_KEY) ?? "";
  } catch {
    return "";
  }
}

function remember(nick) {
  try {
    localStorage.setItem(NICK_KEY, nick);
  } catch {
    // Nothing to do about it.
  }
}

/* The room named in the address, so that a link leads into a room. */
function addressedRoom() {
  try {
    return decodeURIComponent(location.hash.slice(1)) || HOME;
  } catch {
    return HOME; // a broken escape
  }
}

function join(room) {
  socket.send({ type: "join", room, nick: me.nick });
}

/* What the server tells */

const handlers = {
  welcome(message) {
    me.id = message.id;
    Object.assign(limits, message.limits);
    rooms.hear(message.rooms);
    drawRooms();
    if (me.nick) {
      join(me.room ?? addressedRoom());
    } else {
      openEntrance();
    }
  },

  joined({ room, nick }) {
    const returned = me.room === room && lostAt > 0;
    if (me.room !== room) {
      failPending("You left the room before it came back. It may not have arrived.");
    }
    me.room = room;
    setNick(nick);
    log.enter(room);
    others.clear();
    if (returned) {
      const seconds = Math.max(1, Math.round((Date.now() - lostAt) / 1000));
      log.addNotice(`You were away for ${seconds} s. What was said meanwhile is not shown.`, "strong");
    }
    lostAt = 0;
    if (addressedRoom() !== room) {
      history.replaceState(null, "", `#${encodeURIComponent(room)}`);
    }
    drawRooms();
    updateHint();
    panel.reveal();
  },

  join({ id, nick }) {
    log.addNotice(id === me.id ? "You are in." : `${nick} came in.`);
  },

  leave({ id, nick, how }) {
    others.stop(id);
    log.forget(id, nick);
    log.addNotice(how === "lost" ? `${nick} lost the connection.` : `${nick} left.`);
  },

  rename({ id, nick, before }) {
    if (id === me.id) {
      setNick(nick);
    }
    log.forget(id, before);
    log.addNotice(id === me.id ? `You are now ${nick}.` : `${before} is now ${nick}.`);
  },

  say({ id, nick, text, at, ref }) {
    const mine = id === me.id;
    others.stop(id);
    if (mine) {
      settle(ref, (entry) => log.confirm(entry.node));
    }
    log.addMessage({ id, nick, text, at, mine });
    if (!mine && document.hidden) {
      unseen += 1;
      drawTitle();
    }
  },

  typing({ id, nick, on }) {
    if (on) {
      others.start(id, nick);
    } else {
      others.stop(id);
    }
  },

  count({ room, count }) {
    rooms.setCount(room, count);
    drawRooms();
  },

  rooms(message) {
    rooms.hear(message.rooms);
    drawRooms();
  },

  reload({ generation }) {
    if (me.room) {
      log.addNotice(`The script was reloaded (generation ${generation}). You stayed connected.`, "strong reload");
    }
  },

  error({ code, text, ref }) {
    if (ref !== undefined && pending.has(ref)) {
      settle(ref, (entry) => fail(entry, text));
    } else if (code === "bad_nick") {
      openEntrance();
    } else if (code === "bad_room" && me.room === null) {
      join(HOME); // the address named something that is no room
    } else {
      updateHint(text);
    }
  },
};

/* What is said in a room that was left a moment ago may still arrive. */
const OF_ROOM = new Set(["join", "leave", "rename", "say", "typing"]);

socket.addEventListener("message", ({ detail }) => {
  if (OF_ROOM.has(detail.type) && detail.room !== me.room) {
    return;
  }
  handlers[detail.type]?.(detail);
});

socket.addEventListener("state", () => {
  if (socket.state !== "online") {
    lostAt ||= Date.now();
    others.clear();
    typing.sent();
    failPending("The connection broke. It may not have arrived.");
  }
  drawRooms();
  updateHint();
});
showStatus(byId("status"), socket);

/* Saying something */

function settle(ref, what) {
  const entry = pending.get(ref);
  if (entry) {
    clearTimeout(entry.timer);
    pending.delete(ref);
    what(entry);
  }
}

function fail({ node, text }, why) {
  log.fail(node, why, () => {
    byId("text").value = [text, byId("text").value].filter(Boolean).join("\n");
    textChanged();
    byId("text").focus();
  });
}

/* Nothing will come back for what is on its way. */
function failPending(why) {
  for (const ref of [...pending.keys()]) {
    settle(ref, (entry) => fail(entry, why));
  }
}

function say(text) {
  const ref = nextRef++;
  if (!socket.send({ type: "say", text, ref })) {
    return false;
  }
  const node = log.addPending({ id: me.id, nick: me.nick, text });
  const timer = setTimeout(
    () => settle(ref, (entry) => fail(entry, "No answer. It may not have arrived.")),
    CONFIRM_WITHIN,
  );
  pending.set(ref, { node, text, timer });
  typing.sent();
  return true;
}

/* In characters, as the server counts. */
function charactersLeft() {
  return limits.text - [...byId("text").value.trim()].length;
}

function updateHint(problem = "") {
  const left = charactersLeft();
  const offline = socket.state !== "online" && me.room !== null;
  const tooLong = left < 0 ? `${-left} characters too long` : "";
  const hint = byId("hint");
  hint.classList.toggle("bad", Boolean(problem || tooLong));
  const away = offline ? "Not connected. You can go on writing, and send when you are back online." : "";
  const words = problem || tooLong || away;
  if (hint.textContent !== words) {
    hint.textContent = words; // read out on each change, so only on changes
  }
  byId("left").textContent = left >= 0 && left <= COUNT_FROM ? `${left} characters left` : "";
  byId("composer").querySelector(".send").disabled = left < 0 || offline || me.room === null;
}

function textChanged() {
  const field = byId("text");
  field.style.height = "auto";
  field.style.height = `${field.scrollHeight + 2}px`;
  updateHint();
}

byId("text").addEventListener("input", () => {
  textChanged();
  if (byId("text").value.trim() === "") {
    typing.stop();
  } else {
    typing.typed();
  }
});

byId("text").addEventListener("keydown", (event) => {
  // While an input method composes, Enter belongs to it.
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    byId("composer").requestSubmit();
  }
});

byId("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = byId("text").value.trim();
  if (text !== "" && charactersLeft() >= 0 && me.room !== null && say(text)) {
    byId("text").value = "";
    textChanged();
  }
});

/* Where one is */

function drawRooms() {
  const list = rooms.sorted();
  if (me.room && !list.some(({ name }) => name === me.room)) {
    list.push({ name: me.room, count: rooms.countOf(me.room) ?? 1 });
  }
  panel.draw(list, me.room, socket.state === "online");
  drawHere();
}

function drawHere() {
  const count = socket.state === "online" ? rooms.countOf(me.room) : 0;
  byId("room-title").textContent = me.room ? `#${me.room}` : "Chat";
  byId("here").textContent = !count ? "" : count === 1 ? "only you here" : `${count} here`;
  drawTitle();
}

function drawTitle() {
  const place = me.room ? `#${me.room} · Tidewire` : "Chat · Tidewire";
  document.title = unseen > 0 ? `(${unseen}) ${place}` : place;
}

addEventListener("hashchange", () => {
  if (me.nick && addressedRoom() !== me.room) {
    join(addressedRoom());
  }
});

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) {
    unseen = 0;
    drawTitle();
  }
});

// Rooms nobody speaks of any more go without a message that says so.
setInterval(drawRooms, 5_000);

function setNick(nick) {
  me.nick = nick;
  remember(nick);
  byId("me").hidden = false;
  byId("me-nick").textContent = nick;
  paintAvatar(byId("me-avatar"), nick);
}

function openEntrance() {
  entrance.open(me.nick, me.room === null);
}

byId("me").addEventListener("click", openEntrance);

updateHint();
