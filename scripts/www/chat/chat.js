/* chat.js - the chat's page. SPDX-License-Identifier: MIT
 *
 * The messages are described at the head of scripts/chat.lua. What is said
 * while this page is away comes when it is back; what the server does not have
 * any more by then, the page says. */

import { Entrance } from "/chat/entrance.js";
import { Identity } from "/chat/identity.js";
import { Log, paintAvatar } from "/chat/log.js";
import { Outbox } from "/chat/outbox.js";
import { People } from "/chat/people.js";
import { RoomPanel } from "/chat/room-panel.js";
import { OthersTyping, OwnTyping } from "/chat/typing.js";
import { RoomList } from "/lib/rooms.js";
import { showStatus } from "/lib/status.js";
import { StreamSocket } from "/lib/stream.js";

const HOME = "lobby";
const PRIVATE = "@private"; // the stream of what is whispered
const COUNT_FROM = 100; // characters left from which on they are told
const HEARD = 1_000; // references to remember

const byId = (id) => document.getElementById(id);

const identity = new Identity();
const me = { id: "", nick: identity.nick, room: null };
const limits = { text: 500 };
const rooms = new RoomList();
const log = new Log(byId("log"), byId("to-end"));
const others = new OthersTyping(byId("typing"));
const heard = new Set(); // who said it, and under which reference
const held = []; // whispers that came before there is a room to show them in
let isIn = false; // the room has told where we are in it
let addressee = null; // of the next message, when it is not for all
let earlier = 0; // messages to come that were said before we came
let lostAt = 0;
let unseen = 0;

const socket = new StreamSocket("/chat/ws", { silence: 60_000 });
const typing = new OwnTyping((on) => socket.send({ type: "typing", on }));
const outbox = new Outbox(log, (message) => socket.send(message), takeUp);
const people = new People((person) => address(person));
const panel = new RoomPanel((room) => {
  typing.stop();
  join(room);
});
const entrance = new Entrance((nick) => {
  me.nick = nick;
  join(me.room ?? addressedRoom());
  byId("text").focus();
});

/* The room named in the address, so that a link leads into a room. */
function addressedRoom() {
  try {
    return decodeURIComponent(location.hash.slice(1)) || HOME;
  } catch {
    return HOME; // a broken escape
  }
}

/* Enters a room, or the same one under another name: from where this page has
 * come in it. */
function join(room) {
  socket.send({ type: "join", room, nick: me.nick, since: socket.since(room) });
}

/* What the server tells */

const handlers = {
  welcome(message) {
    me.id = message.id;
    Object.assign(limits, message.limits);
    rooms.hear(message.rooms);
    drawRooms();
    socket.send({ type: "hello", key: identity.key, since: socket.since(PRIVATE) });
    if (me.nick) {
      join(me.room ?? addressedRoom());
    } else {
      openEntrance();
    }
  },

  hello({ id }) {
    me.id = id;
  },

  joined({ room, nick }) {
    if (me.room !== room) {
      outbox.giveUp("You left the room before it came back. It may not have arrived.");
      address(null);
      people.clear();
    }
    me.room = room;
    setNick(nick);
    log.enter(room);
    others.clear();
    outbox.sendAgain();
    if (addressedRoom() !== room) {
      history.replaceState(null, "", `#${encodeURIComponent(room)}`);
    }
    drawRooms();
    updateHint();
    panel.reveal();
  },

  people(message) {
    people.set(message, me.id);
    countHere(message);
  },

  presence(message) {
    const { joined = [], left = [], reset } = message;
    // Who is listed already comes back to a server that had lost the list.
    for (const { nick } of joined.filter(({ id }) => id !== me.id && !people.has(id))) {
      log.addNotice(`${nick} came in.`);
    }
    for (const { id, nick } of left.filter((person) => person.id !== me.id)) {
      others.stop(id);
      log.forget(id, nick);
      log.addNotice(`${nick} left.`);
    }
    people.change(message, me.id);
    countHere(message);
    if (reset) {
      socket.send({ type: "people" });
    }
  },

  rename({ id, nick, before }) {
    log.forget(id, before);
    log.addNotice(id === me.id ? `You are now ${nick}.` : `${before} is now ${nick}.`);
    people.rename(id, nick, me.id);
  },

  say({ id, nick, text, at, ref }) {
    const mine = id === me.id;
    others.stop(id);
    if (mine) {
      outbox.confirm(ref);
    }
    if (!isEcho(id, ref)) {
      log.addMessage({ id, nick, text, at, mine });
      count(mine);
    }
    earlier -= 1;
    if (earlier === 0) {
      log.addNotice("You came in.", "strong quiet");
    }
  },

  whisper(message) {
    if (!isIn) {
      held.push(message);
      return;
    }
    const { from, to, text, at, ref } = message;
    const mine = from.id === me.id;
    if (mine) {
      outbox.confirm(ref);
    }
    if (!isEcho(from.id, ref)) {
      const aside = mine ? `only to ${to.nick}` : "only to you";
      log.addMessage({ id: from.id, nick: from.nick, text, at, mine, aside });
      count(mine);
    }
  },

  typing({ id, nick, on }) {
    if (on) {
      others.start(id, nick);
    } else {
      others.stop(id);
    }
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
    if (outbox.fail(ref, text)) {
      return;
    }
    if (code === "bad_nick") {
      openEntrance();
    } else if (code === "bad_room" && me.room === null) {
      join(HOME); // the address named something that is no room
    } else {
      updateHint(text);
    }
  },
};

/* What is said in a room that was left a moment ago may still arrive. */
const OF_ROOM = new Set(["say", "people", "presence", "rename", "typing"]);

socket.addEventListener("message", ({ detail }) => {
  if (OF_ROOM.has(detail.type) && (detail.room ?? detail.stream) !== me.room) {
    return;
  }
  handlers[detail.type]?.(detail);
});

/* The place in a stream is known: what was missed, if anything, comes next. */
socket.addEventListener("arrival", ({ detail: { stream, isFirst, missed, fresh } }) => {
  if (stream === PRIVATE) {
    if (missed) {
      log.addNotice("You may have missed private messages: the server no longer knows.", "strong gap");
    }
    return;
  }
  const seconds = Math.max(1, Math.round((Date.now() - lostAt) / 1000));
  const away = lostAt > 0 && !isFirst ? `You were away for ${seconds} s. ` : "";
  if (missed) {
    log.addNotice(`${away}You may have missed something: the server no longer knows all that was said.`, "strong gap");
  } else if (away) {
    log.addNotice(away + (fresh > 0 ? "This was said meanwhile:" : "Nothing was said meanwhile."), "strong back");
  }
  earlier = isFirst ? fresh : 0;
  lostAt = 0;
  isIn = true;
  held.splice(0).forEach(handlers.whisper);
});

socket.addEventListener("state", () => {
  if (socket.state !== "online") {
    lostAt ||= Date.now();
    isIn = false;
    others.clear();
    typing.sent();
    outbox.pause();
  }
  drawRooms();
  updateHint();
});
showStatus(byId("status"), socket);

/* Saying something */

/* Back into the field with what did not arrive. */
function takeUp(text) {
  byId("text").value = [text, byId("text").value].filter(Boolean).join("\n");
  textChanged();
  byId("text").focus();
}

/* Whispers to a person from now on, or speaks to all (null). */
function address(person) {
  addressee = person;
  byId("addressee").hidden = person === null;
  byId("addressee-nick").textContent = person?.nick ?? "";
  byId("composer").classList.toggle("private", person !== null);
  if (person) {
    byId("text").focus();
  }
}

function say(text) {
  const message = addressee ? { type: "whisper", to: addressee.to, text } : { type: "say", text };
  const aside = addressee ? `only to ${addressee.nick}` : "";
  if (!outbox.send(message, { id: me.id, nick: me.nick, aside })) {
    return false;
  }
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
  if (byId("text").value.trim() === "" || addressee) {
    typing.stop(); // what is meant for one is not shown to all
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

byId("to-all").addEventListener("click", () => {
  address(null);
  byId("text").focus();
});

/* Where one is */

function drawRooms() {
  const list = rooms.sorted();
  if (me.room && !list.some(({ name }) => name === me.room)) {
    list.push({ name: me.room, count: people.count });
  }
  panel.draw(list, me.room, socket.state === "online");
  people.show(socket.state === "online");
  byId("room-title").textContent = me.room ? `#${me.room}` : "Chat";
  drawTitle();
}

/* A number told to this room alone, sooner than the directory tells it. */
function countHere({ room, count: number }) {
  rooms.setCount(room, number);
  drawRooms();
}

function drawTitle() {
  const place = me.room ? `#${me.room} · Tidewire` : "Chat · Tidewire";
  document.title = unseen > 0 ? `(${unseen}) ${place}` : place;
}

/* Whether this was heard before. The server publishes what is sent again only
 * once, as long as the worker lives that knows of the first time. */
function isEcho(id, ref) {
  const name = `${id} ${ref}`;
  if (ref === undefined || heard.has(name)) {
    return ref !== undefined;
  }
  heard.add(name);
  if (heard.size > HEARD) {
    heard.delete(heard.values().next().value);
  }
  return false;
}

function count(mine) {
  if (!mine && document.hidden) {
    unseen += 1;
    drawTitle();
  }
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
  identity.nick = nick;
  byId("me").hidden = false;
  byId("me-nick").textContent = nick;
  paintAvatar(byId("me-avatar"), nick);
}

function openEntrance() {
  entrance.open(me.nick, me.room === null);
}

byId("me").addEventListener("click", openEntrance);

updateHint();
