/* figures.js - puts the dashboard's figures together. SPDX-License-Identifier: MIT
 *
 * Each kind of figure comes in a message of its own, some once a second, some
 * more seldom. The kind `server` comes every second and last: with it the newest
 * of all kinds are one sample. */

export class Figures {
  #newest = {};

  /* Takes a message and returns a sample, or null when none is complete. */
  take(message) {
    if (message.type !== "figures") {
      return null;
    }
    Object.assign(this.#newest, message);
    return "server" in message ? { ...this.#newest } : null;
  }
}
