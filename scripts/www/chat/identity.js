/* identity.js - who this browser is to the chat. SPDX-License-Identifier: MIT
 *
 * There are no accounts here. A browser makes itself a secret once; whoever
 * shows it, in however many windows, is the same person. Of an application with
 * accounts the session would say that: docs/how-to/authenticate.md. */

const NICK = "tidewire-nick";
const KEY = "tidewire-key";

/* Storage may be forbidden; then things last as long as the page. */
function recall(name) {
  try {
    return localStorage.getItem(name) ?? "";
  } catch {
    return "";
  }
}

function remember(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch {
    // Nothing to do about it.
  }
}

function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(20));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export class Identity {
  #nick = recall(NICK);
  #key = recall(KEY);

  constructor() {
    if (!/^[\w-]{24,64}$/.test(this.#key)) {
      this.#key = newKey();
      remember(KEY, this.#key);
    }
  }

  /* The secret. The server shows others its first eight characters. */
  get key() {
    return this.#key;
  }

  get nick() {
    return this.#nick;
  }

  set nick(nick) {
    this.#nick = nick;
    remember(NICK, nick);
  }
}
