/* strokes.js - what is on a board, as this page knows it. Messages in, answers
 * out: no socket and no canvas here. SPDX-License-Identifier: MIT
 *
 * A stroke has a number, `n`, which says where it lies among the others. The
 * same stroke may come twice, and a message that takes one away before the one
 * that brings it: the result is the same. */

const ERASED = 1_000; // numbers to remember

export class Strokes {
  limit = Infinity; // strokes of a board
  #all = new Map(); // n -> stroke
  #erased = new Set();
  #cleared = 0;
  #newest = 0;

  get size() {
    return this.#all.size;
  }

  /* From the bottom to the top. */
  list() {
    return [...this.#all.values()].sort((a, b) => a.n - b.n);
  }

  /* The number of the one on top, or 0. */
  get newest() {
    return this.#newest;
  }

  /* All of them come anew. */
  forget() {
    this.#all.clear();
    this.#erased.clear();
    this.#cleared = 0;
    this.#newest = 0;
  }

  /* Answers where it lies: "top", "below", or null when it is not new. */
  add(stroke) {
    const { n } = stroke;
    if (n <= this.#cleared || n <= this.#newest - this.limit || this.#erased.has(n) || this.#all.has(n)) {
      return null;
    }
    this.#all.set(n, stroke);
    const isTop = n > this.#newest;
    this.#newest = Math.max(this.#newest, n);
    return isTop && !this.#drop(this.#newest - this.limit) ? "top" : "below";
  }

  erase(n) {
    this.#erased.add(n);
    if (this.#erased.size > ERASED) {
      this.#erased.delete(this.#erased.values().next().value);
    }
    this.#all.delete(n);
  }

  /* What comes later and lies below was cleared, too. */
  clear(upto) {
    this.#cleared = Math.max(this.#cleared, upto);
    this.#drop(upto);
  }

  #drop(upto) {
    const before = this.#all.size;
    for (const n of this.#all.keys()) {
      if (n <= upto) {
        this.#all.delete(n);
      }
    }
    return this.#all.size < before;
  }
}
