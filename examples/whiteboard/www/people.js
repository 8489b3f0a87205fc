/* people.js - who is here. SPDX-License-Identifier: MIT
 *
 * The server answers who is here, and tells who comes and goes. Both are on
 * their way at the same time, so an answer may be older than what was told. */

export class People {
  #place;
  #me = null;
  #here = new Map(); // id -> { nick, color }
  #gone = new Set(); // ids of who left since we came

  /* `place` is a list. */
  constructor(place) {
    this.#place = place;
  }

  /* Nothing is known but that we are here. */
  begin(me) {
    this.#me = me;
    this.#here.clear();
    this.#gone.clear();
    this.change([me], []);
  }

  list(people) {
    this.change(people.filter(({ id }) => !this.#gone.has(id)), []);
  }

  change(joined, left) {
    for (const { id } of left) {
      this.#gone.add(id);
      this.#here.delete(id);
    }
    for (const { id, nick, color } of joined) {
      this.#gone.delete(id);
      this.#here.set(id, { nick, color });
    }
    this.#draw();
  }

  #draw() {
    const rows = [...this.#here].map(([id, { nick, color }]) => {
      const row = document.createElement("li");
      const name = document.createElement("span");
      name.textContent = id === this.#me.id ? `${nick} (you)` : nick;
      row.style.setProperty("--pen", `var(--pen-${color})`);
      row.append(name);
      return row;
    });
    this.#place.replaceChildren(...rows);
  }
}
