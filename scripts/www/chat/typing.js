/* typing.js - typing marks, both ways. SPDX-License-Identifier: MIT */

const REPEAT = 2_500; // ms between marks while one goes on typing
const IDLE = 4_000; // ms without a key until one has stopped
const EXPIRE = 6_000; // ms until a mark that was not taken back is gone

/* Tells others that this person types: `tell(on)`. */
export class OwnTyping {
  #tell;
  #toldAt = 0;
  #timer = 0;

  constructor(tell) {
    this.#tell = tell;
  }

  typed() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.stop(), IDLE);
    if (Date.now() - this.#toldAt > REPEAT) {
      this.#toldAt = Date.now();
      this.#tell(true);
    }
  }

  /* Nothing is being written any more. */
  stop() {
    clearTimeout(this.#timer);
    if (this.#toldAt > 0) {
      this.#toldAt = 0;
      this.#tell(false);
    }
  }

  /* It was sent: the message itself ends the mark, no word is needed. */
  sent() {
    clearTimeout(this.#timer);
    this.#toldAt = 0;
  }
}

/* Shows who types. */
export class OthersTyping {
  #element;
  #people = new Map(); // id -> { nick, timer }

  constructor(element) {
    this.#element = element;
  }

  start(id, nick) {
    clearTimeout(this.#people.get(id)?.timer);
    this.#people.set(id, { nick, timer: setTimeout(() => this.stop(id), EXPIRE) });
    this.#draw();
  }

  stop(id) {
    clearTimeout(this.#people.get(id)?.timer);
    if (this.#people.delete(id)) {
      this.#draw();
    }
  }

  clear() {
    for (const id of [...this.#people.keys()]) {
      this.stop(id);
    }
  }

  #draw() {
    const nicks = [...this.#people.values()].map(({ nick }) => nick);
    this.#element.replaceChildren();
    if (nicks.length === 0) {
      return;
    }
    const dots = document.createElement("span");
    dots.className = "dots";
    dots.append(...Array.from({ length: 3 }, () => document.createElement("i")));
    const who =
      nicks.length === 1
        ? `${nicks[0]} is typing`
        : nicks.length === 2
          ? `${nicks[0]} and ${nicks[1]} are typing`
          : "Several people are typing";
    this.#element.append(dots, who);
  }
}
