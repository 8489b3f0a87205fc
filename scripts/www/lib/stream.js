/* stream.js - a socket that knows its place in what it hears.
 * SPDX-License-Identifier: MIT
 *
 *   import { StreamSocket } from "/lib/stream.js";
 *
 *   const socket = new StreamSocket("/chat/ws");
 *   socket.addEventListener("open", () => socket.send({ type: "enter", since: socket.since("lobby") }));
 *   socket.addEventListener("message", (event) => show(event.detail));
 *   socket.addEventListener("arrival", ({ detail }) => detail.missed && warn(detail.stream));
 *
 * It comes back by itself (see socket.js), and then says where it was, so that
 * the server can send what it missed. Nothing is shown twice. What cannot be
 * had any more is told.
 *
 * A stream is a channel with history, under a name that the script chooses. In
 * three words, which the script writes into its messages:
 *
 *   stream    { "stream": "lobby", ... }  each publication that is kept, and no
 *             other message, says which stream it is of. It is one further in it.
 *   position  { "position": { "stream": "lobby", "epoch": "Kx…", "offset": 7, "count": 2 }, ... }
 *             goes to this connection alone whenever it was subscribed, and is
 *             what conn:subscribe answered: the next `count` messages of the
 *             stream lead up to `offset`, those behind are live.
 *   since     { "since": { "epoch": "Kx…", "offset": 5 }, ... }  what the page
 *             sends to be subscribed: how far it came, for conn:subscribe. It is
 *             left out by a page that was not there yet.
 *
 * So a publication need not carry its own number, which nobody knows before it
 * is published: it is counted. The count is right because a subscriber gets
 * each kept publication once and in order; whoever would break that must not:
 *
 *   - the class of the channel says slow = "close" (the default) or "resync",
 *     not one that leaves out what it likes;
 *   - what is kept is published without `except` and without a `ttl` of its own;
 *   - what is not worth keeping says history = false and carries no `stream`;
 *     direct sends and what the presence of a class tells carry none either;
 *   - on_recover_fail leaves and subscribes anew, and sends the new position.
 *
 * docs/how-to/recover-missed-messages.md has it all in one small example. */

import { ReconnectingSocket } from "./socket.js";

/* The places in all streams. No sockets, no clock: messages in, answers out. */
export class Streams {
  #places = new Map(); // stream -> { epoch, offset: of the last one shown, next: of the next one to come }
  #storage;
  #key;

  /* With a `storage`, such as sessionStorage, places outlive the page. That is
   * right only for a page whose content does so, too: what was heard before is
   * not sent again. */
  constructor({ storage = null, key = "streams" } = {}) {
    this.#storage = storage;
    this.#key = key;
    this.#restore();
  }

  /* How far this page came: { epoch, offset }, or undefined. */
  since(stream) {
    const place = this.#places.get(stream);
    return place && { epoch: place.epoch, offset: place.offset };
  }

  /* The next arrival will be a first one. */
  forget(stream) {
    this.#places.delete(stream);
    this.#save();
  }

  /* The line is another one: nothing can be counted until a position comes. */
  pause() {
    for (const place of this.#places.values()) {
      place.next = null;
    }
  }

  /* Takes a message and answers { isNew, arrival }. What is not new was shown
   * before, or will come again behind a position. A position answers with
   *   arrival  { stream, isFirst, missed, fresh }: whether the page had no place
   *            there yet, whether something is missing between its place and
   *            what comes now, and how many messages come that are not live. */
  take(message) {
    const { stream, position } = message ?? {};
    if (position) {
      return { isNew: true, arrival: this.#arrive(position) };
    }
    return { isNew: typeof stream !== "string" || this.#count(stream) };
  }

  #arrive({ stream, epoch, offset, count = 0 }) {
    const place = this.#places.get(stream);
    const start = offset - count; // behind it stands what comes first
    // Offsets say something about each other only within an epoch.
    const isSameLife = place !== undefined && place.epoch === epoch && place.offset <= offset;
    const missed = place !== undefined && !(isSameLife && start <= place.offset);
    const shown = isSameLife ? Math.max(place.offset, start) : start;
    this.#places.set(stream, { epoch, offset: shown, next: start + 1 });
    this.#save();
    return { stream, isFirst: place === undefined, missed, fresh: offset - shown };
  }

  #count(stream) {
    const place = this.#places.get(stream);
    if (place === undefined) {
      return true; // the script told no position: nothing to count from
    }
    if (place.next === null) {
      return false;
    }
    const offset = place.next++;
    if (offset <= place.offset) {
      return false;
    }
    place.offset = offset;
    this.#save();
    return true;
  }

  #restore() {
    try {
      const saved = JSON.parse(this.#storage?.getItem(this.#key) ?? "{}");
      for (const [stream, { epoch, offset }] of Object.entries(saved)) {
        this.#places.set(stream, { epoch, offset, next: null });
      }
    } catch {
      this.#places.clear(); // somebody else's, or forbidden: begin anew
    }
  }

  #save() {
    const places = [...this.#places.keys()].map((stream) => [stream, this.since(stream)]);
    try {
      this.#storage?.setItem(this.#key, JSON.stringify(Object.fromEntries(places)));
    } catch {
      // Full or forbidden: then places last as long as the page.
    }
  }
}

/* A ReconnectingSocket with streams. Events beside its own:
 *   arrival  the server told a position; event.detail as above. It comes behind
 *            the message that carried the position, and before what is missing. */
export class StreamSocket extends ReconnectingSocket {
  #streams;

  /* `options` are those of ReconnectingSocket and of Streams. */
  constructor(path, options = {}) {
    super(path, options);
    this.#streams = new Streams(options);
    this.addEventListener("open", () => this.#streams.pause());
  }

  /* How far this page came in a stream, to be sent when it subscribes. */
  since(stream) {
    return this.#streams.since(stream);
  }

  forget(stream) {
    this.#streams.forget(stream);
  }

  deliver(message) {
    const { isNew, arrival } = this.#streams.take(message);
    if (isNew) {
      super.deliver(message);
    }
    if (arrival) {
      this.dispatchEvent(new CustomEvent("arrival", { detail: arrival }));
    }
  }
}
