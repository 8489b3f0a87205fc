/* rooms.js - the list of chat rooms, as the workers tell it.
 * SPDX-License-Identifier: MIT
 *
 * No worker knows all rooms. Each tells the ones that its own people entered,
 * every few seconds and on every change; a page puts together what it hears.
 * A room nobody has spoken of for a while is gone, with whoever told of it. */

const FORGET_AFTER = 15_000; // ms: three of the workers' rounds

export class RoomList {
  #rooms = new Map(); // name -> { name, count, always, heardAt }

  /* Takes the `rooms` of a message of type "welcome" or "rooms". */
  hear(entries) {
    const heardAt = Date.now();
    // Lua writes an empty list as an object.
    for (const { name, count, always = false } of Array.isArray(entries) ? entries : []) {
      if (count === 0 && !always) {
        this.#rooms.delete(name);
      } else {
        this.#rooms.set(name, { name, count, always, heardAt });
      }
    }
  }

  /* Takes a number told to the people of a room. */
  setCount(name, count) {
    const always = this.#rooms.get(name)?.always ?? false;
    this.#rooms.set(name, { name, count, always, heardAt: Date.now() });
  }

  countOf(name) {
    return this.#rooms.get(name)?.count;
  }

  /* Those that are always there first, then by name: rooms that changed
   * places with every visitor could not be clicked. */
  sorted() {
    const oldest = Date.now() - FORGET_AFTER;
    for (const room of this.#rooms.values()) {
      if (!room.always && room.heardAt < oldest) {
        this.#rooms.delete(room.name);
      }
    }
    return [...this.#rooms.values()].sort((a, b) => b.always - a.always || a.name.localeCompare(b.name));
  }
}
