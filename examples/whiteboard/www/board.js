/* board.js - the page of a board. SPDX-License-Identifier: MIT
 *
 * The messages are described at the head of board.lua. What this page wants,
 * a stroke, an undo or a clear, it shows or does when the board's channel says
 * so, and asks for again after the line was broken. */

import { showStatus } from "/lib/status.js";
import { StreamSocket } from "/lib/stream.js";
import { identity } from "/identity.js";
import { Pen } from "/pen.js";
import { People } from "/people.js";
import { Strokes } from "/strokes.js";
import { HEIGHT, View, WIDTH } from "/view.js";

const OFTEN = 40; // ms between two cursors, and between two pieces
const LATER = 2_000; // ms until the server is asked again for what it could not do
const COLORS = ["Ink", "Red", "Orange", "Yellow", "Green", "Blue", "Violet", "Pink"];

const byId = (id) => document.getElementById(id);

const board = location.pathname.split("/").at(-1);
const strokes = new Strokes();
const wanted = new Map(); // id -> message, of strokes that have not come back
const unwanted = new Set(); // ids of those among them that were undone already
const undone = new Set(); // numbers of those that shall go
let clearedUpto = 0; // what shall be cleared
const people = new People(byId("people"));
const pieces = new Map(); // id -> what others are drawing
const cursors = new Map(); // id -> { x, y, nick, color, at }
let ownCursor = null; // of the keyboard
let me = null;
let later = 0;

const socket = new StreamSocket(`/ws/${board}`);

const view = new View({ frame: byId("frame"), sheet: byId("sheet"), ink: byId("ink"), over: byId("over") }, {
  list: () => strokes.list(),
  pieces: () => [...pieces.values(), ...[...wanted.values()].filter(({ id }) => !unwanted.has(id)), ...(pen.stroke ? [pen.stroke] : [])],
  cursors: () => [...cursors.values(), ...(ownCursor ? [{ ...ownCursor, at: Date.now() }] : [])],
});

/* Drawing */

const style = () => ({
  color: Number(byId("colors").querySelector(":checked").value),
  width: Number(byId("width").value),
});

const unsent = { id: null, from: 0, at: 0 }; // of the stroke under way
const cursor = { place: null, at: 0, timer: 0 };

function tellPiece(stroke, from) {
  if (unsent.id !== stroke.id) {
    Object.assign(unsent, { id: stroke.id, from: 0, at: 0 });
  }
  if (performance.now() - unsent.at >= OFTEN) {
    unsent.at = performance.now();
    // From the last point told on, so that the pieces meet.
    socket.send({ type: "piece", ...stroke, points: stroke.points.slice(Math.max(0, unsent.from - 2)) });
    unsent.from = stroke.points.length;
  }
  view.drawOver();
}

/* Where it comes to rest is told, too. */
function tellCursor(place) {
  cursor.place = place;
  cursor.timer ||= setTimeout(() => {
    cursor.timer = 0;
    cursor.at = performance.now();
    socket.send({ type: "cursor", ...cursor.place });
  }, Math.max(0, OFTEN - (performance.now() - cursor.at)));
}

function want(stroke) {
  const message = { type: "stroke", ...stroke };
  wanted.set(stroke.id, message);
  socket.send(message);
  view.drawOver();
  update();
}

const pen = new Pen(byId("ink"), view, { width: WIDTH, height: HEIGHT }, style, {
  move: tellCursor,
  draw: tellPiece,
  done: want,
  key(place, isDown) {
    ownCursor = { ...place, nick: isDown ? "pen down" : "pen up", color: style().color };
    byId("spoken").textContent = isDown ? "The pen is down" : "The pen is up";
    view.drawOver();
  },
});
byId("ink").addEventListener("blur", () => {
  ownCursor = null;
  view.drawOver();
});

/* Undo and clear */

/* One's own last stroke: { id } of one that is on its way, { n } of one that is
 * there; or undefined. */
function lastOwn() {
  const id = [...wanted.keys()].findLast((one) => !unwanted.has(one));
  return id ? { id } : strokes.list().findLast(({ by, n }) => by === me?.id && !undone.has(n));
}

function takeBack(n) {
  undone.add(n);
  socket.send({ type: "undo", n });
}

/* What is on its way has no number yet: it is taken back when it has one. */
function undo() {
  const last = lastOwn();
  if (last?.n) {
    takeBack(last.n);
  } else if (last) {
    unwanted.add(last.id);
  }
  view.drawOver();
  update();
}

function clear() {
  clearedUpto = strokes.newest;
  socket.send({ type: "clear", upto: clearedUpto });
}

byId("undo").addEventListener("click", undo);
byId("clear").addEventListener("click", () => byId("sure").showModal());
byId("sure").addEventListener("close", () => {
  if (byId("sure").returnValue === "yes") {
    clear();
  }
  byId("sure").returnValue = "";
});
addEventListener("keydown", (event) => {
  const isUndo = (event.ctrlKey || event.metaKey) && !event.shiftKey && event.key.toLowerCase() === "z";
  if (isUndo && event.target !== byId("board")) {
    event.preventDefault();
    undo();
  }
});

/* What was asked for and not heard of. Twice does no harm. */
function askAgain() {
  wanted.forEach((stroke) => socket.send(stroke));
  undone.forEach((n) => socket.send({ type: "undo", n }));
  if (clearedUpto > 0) {
    socket.send({ type: "clear", upto: clearedUpto });
  }
}

/* What the server tells */

function took(stroke) {
  pieces.delete(stroke.id);
  if (stroke.by === me?.id) {
    wanted.delete(stroke.id);
    if (unwanted.delete(stroke.id)) {
      takeBack(stroke.n);
    }
  }
}

const handlers = {
  here(message) {
    me = message.me;
    strokes.limit = message.limit;
    document.body.dataset.worker = message.worker;
    pieces.clear();
    people.begin(me);
    if (message.whole) {
      strokes.forget(); // they come anew, and then it is known what is missing
    } else {
      askAgain();
    }
  },

  strokes({ list, cleared, last }) {
    strokes.clear(cleared);
    for (const stroke of list) {
      took(stroke);
      strokes.add(stroke);
    }
    if (last) {
      askAgain();
    }
    view.drawAll();
  },

  stroke(message) {
    took(message);
    const where = strokes.add(message);
    if (where === "top") {
      view.drawTop(message);
    } else if (where === "below") {
      view.drawAll();
    }
  },

  erase({ n }) {
    undone.delete(n);
    strokes.erase(n);
    view.drawAll();
  },

  clear({ upto, by }) {
    if (upto >= clearedUpto) {
      clearedUpto = 0;
    }
    strokes.clear(upto);
    byId("spoken").textContent = `${by} cleared the board`;
    view.drawAll();
  },

  piece({ id, points, ...message }) {
    const known = pieces.get(id)?.points ?? [];
    pieces.set(id, { ...message, points: [...known, ...points].slice(-4_000) });
    view.drawOver();
  },

  cursor({ id, ...cursor }) {
    if (id !== me?.id) {
      cursors.set(id, { ...cursor, at: Date.now() });
      view.drawOver();
    }
  },

  people(message) {
    people.list(message.people);
  },

  presence({ joined, left, reset }) {
    left.forEach(leave);
    people.change(joined, left);
    if (reset) {
      people.begin(me);
      socket.send({ type: "people" });
    }
  },

  /* What the server will never do is not asked for again. */
  refused({ id, n, code }) {
    if (["invalid", "denied", "not_found"].includes(code)) {
      wanted.delete(id);
      unwanted.delete(id);
      undone.delete(n);
      view.drawOver();
    } else {
      clearTimeout(later);
      later = setTimeout(askAgain, LATER);
    }
  },
};

function leave({ id, nick }) {
  cursors.delete(id);
  for (const [piece, { by }] of pieces) {
    if (by === id) {
      pieces.delete(piece);
    }
  }
  byId("spoken").textContent = `${nick} left`;
  view.drawOver();
}

socket.addEventListener("open", () => socket.send({ type: "hello", ...identity, since: socket.since("board") }));
socket.addEventListener("message", ({ detail }) => {
  handlers[detail.type]?.(detail);
  update();
});
showStatus(byId("status"), socket);

/* The page around it */

function update() {
  const { size } = strokes;
  const count = size === 0 ? "Nothing is drawn yet" : size === 1 ? "1 stroke" : `${size} strokes`;
  byId("count").textContent = wanted.size > 0 ? `${count}, ${wanted.size} on the way` : count;
  byId("clear").disabled = size === 0;
  byId("undo").disabled = lastOwn() === undefined;
}

COLORS.forEach((name, i) => {
  const label = document.createElement("label");
  const input = document.createElement("input");
  const dot = document.createElement("i");
  Object.assign(input, { type: "radio", name: "color", value: i + 1, checked: i + 1 === identity.color });
  input.setAttribute("aria-label", name);
  label.title = name;
  dot.style.background = `var(--pen-${i + 1})`;
  label.append(input, dot);
  byId("colors").append(label);
});

byId("board").value = board;
byId("boards").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = byId("board").value.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "").slice(0, 40);
  if (name !== "" && name !== board) {
    location.assign(`/b/${name}`);
  }
});
document.title = `${board} · Whiteboard · Tidewire`;
