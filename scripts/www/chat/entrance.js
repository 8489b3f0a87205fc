/* entrance.js - asks for a nickname: at the door, or for another one later.
 * SPDX-License-Identifier: MIT */

const FIRST_WORDS = ["Quiet", "Silver", "Early", "Distant", "Gentle", "Northern", "Bright", "Salty"];
const LAST_WORDS = ["Otter", "Heron", "Pilot", "Lantern", "Gull", "Harbour", "Seal", "Comet"];

const byId = (id) => document.getElementById(id);
const pick = (words) => words[Math.floor(Math.random() * words.length)];

export class Entrance {
  #dialog = byId("entrance");
  #nick = byId("nick");
  #isFirst = true;

  /* `chosen(nick)` is called with what the visitor typed. */
  constructor(chosen) {
    byId("entrance-cancel").addEventListener("click", () => this.#dialog.close());
    byId("entrance-form").addEventListener("submit", () => chosen(this.#nick.value));
    this.#dialog.addEventListener("cancel", (event) => {
      if (this.#isFirst) {
        event.preventDefault(); // without a name there is no way in
      }
    });
  }

  /* `isFirst`: the visitor is not in yet, and cannot go on without a name. */
  open(nick, isFirst) {
    if (this.#dialog.open) {
      return;
    }
    this.#isFirst = isFirst;
    byId("entrance-title").textContent = isFirst ? "Who are you?" : "Change your name";
    byId("entrance-go").textContent = isFirst ? "Enter the chat" : "Change";
    byId("entrance-cancel").hidden = isFirst;
    this.#nick.value = nick || `${pick(FIRST_WORDS)} ${pick(LAST_WORDS)}`;
    this.#dialog.showModal();
    this.#nick.select();
  }
}
