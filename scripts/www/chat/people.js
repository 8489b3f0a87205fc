/* people.js - who is in the room. SPDX-License-Identifier: MIT
 *
 * The server sends the list when one enters, and then who comes and goes. Both
 * are taken by the person's name in the hub (`to`), so it does no harm when one
 * tells what the other has told already. */

import { paintAvatar } from "/chat/log.js";

const byId = (id) => document.getElementById(id);
const WIDE = matchMedia("(min-width: 1080px)");

function make(tag, className, text) {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}

function personItem({ to, nick }, isMe) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  const avatar = make("span", "avatar", "");
  const name = make("span", "name", nick);
  button.type = "button";
  button.dataset.to = to;
  button.disabled = isMe;
  name.dir = "auto";
  avatar.setAttribute("aria-hidden", "true");
  paintAvatar(avatar, nick);
  button.append(avatar, name);
  if (isMe) {
    button.append(make("span", "you", "you"));
  } else {
    button.title = `Say something to ${nick} alone`;
  }
  item.append(button);
  return item;
}

export class People {
  #list = byId("people");
  #panel = byId("people-panel");
  #opener = byId("here");
  #people = new Map(); // to -> { to, id, nick }
  #myId = "";

  /* How many there are; of many, not all are listed. */
  count = 0;

  /* `choose(person)` is called for one to be whispered to. */
  constructor(choose) {
    this.#list.addEventListener("click", (event) => {
      const person = this.#people.get(event.target.closest("[data-to]")?.dataset.to);
      if (person) {
        choose(person);
        this.#open(WIDE.matches);
      }
    });
    this.#opener.addEventListener("click", () => this.#open(this.#panel.hidden));
    WIDE.addEventListener("change", () => this.#open(WIDE.matches));
    this.#open(WIDE.matches);
  }

  #open(isOpen) {
    this.#panel.hidden = !isOpen;
    this.#opener.setAttribute("aria-expanded", String(isOpen));
  }

  has(id) {
    return [...this.#people.values()].some((person) => person.id === id);
  }

  /* The whole list. */
  set({ people = [], count }, myId) {
    this.#people = new Map(people.map((person) => [person.to, person]));
    this.count = count;
    this.#draw(myId);
  }

  /* Who came, who left, how many there are. */
  change({ joined = [], left = [], count }, myId) {
    joined.forEach((person) => this.#people.set(person.to, person));
    left.forEach(({ to }) => this.#people.delete(to));
    this.count = count;
    this.#draw(myId);
  }

  rename(id, nick, myId) {
    for (const person of this.#people.values()) {
      if (person.id === id) {
        person.nick = nick;
      }
    }
    this.#draw(myId);
  }

  clear() {
    this.set({ count: 0 }, this.#myId);
  }

  /* Says how many are here, if that is known: not while offline. */
  show(isOnline) {
    const known = isOnline && this.count > 0;
    this.#opener.hidden = !known;
    this.#opener.textContent = !known ? "" : this.count === 1 ? "only you here" : `${this.count} here`;
    this.#panel.classList.toggle("stale", !isOnline);
  }

  #draw(myId) {
    this.#myId = myId;
    const focused = document.activeElement?.dataset?.to;
    const sorted = [...this.#people.values()].sort((a, b) => a.nick.localeCompare(b.nick));
    this.#list.replaceChildren(...sorted.map((person) => personItem(person, person.id === myId)));
    const more = this.count - sorted.length;
    byId("people-more").textContent = more > 0 ? `and ${more} more` : "";
    if (focused !== undefined) {
      this.#list.querySelector(`[data-to="${CSS.escape(focused)}"]`)?.focus();
    }
  }
}
