/* room-panel.js - the rooms at the side: choose one, or make one.
 * SPDX-License-Identifier: MIT */

const byId = (id) => document.getElementById(id);

function roomItem({ name, count }, isCurrent, isOnline) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  const label = document.createElement("span");
  const people = document.createElement("span");
  button.type = "button";
  button.dataset.room = name;
  button.setAttribute("aria-current", String(isCurrent));
  label.className = "name";
  label.textContent = name;
  people.className = count > 0 ? "people" : "people none";
  people.textContent = count;
  people.setAttribute("aria-label", `${count} here`);
  people.hidden = !isOnline; // nobody knows then
  button.append(label, people);
  item.append(button);
  return item;
}

export class RoomPanel {
  #rooms = byId("rooms");
  #form = byId("room-form");
  #opener = byId("new-room");
  #name = byId("room-name");

  /* `choose(name)` is called for a room that the visitor wants to be in. */
  constructor(choose) {
    this.#rooms.addEventListener("click", (event) => {
      const button = event.target.closest("[data-room]");
      if (button && button.getAttribute("aria-current") !== "true") {
        choose(button.dataset.room);
      }
    });
    this.#opener.addEventListener("click", () => this.#showForm(this.#form.hidden));
    this.#form.addEventListener("keydown", (event) => {
      if (event.key === "Escape") {
        this.#showForm(false);
      }
    });
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      choose(this.#name.value);
      this.#form.reset();
      this.#showForm(false);
      byId("text").focus();
    });
  }

  #showForm(shown) {
    this.#form.hidden = !shown;
    this.#opener.setAttribute("aria-expanded", String(shown));
    (shown ? this.#name : this.#opener).focus();
  }

  draw(rooms, current, isOnline) {
    const focused = document.activeElement?.dataset?.room;
    this.#rooms.replaceChildren(...rooms.map((room) => roomItem(room, room.name === current, isOnline)));
    if (focused !== undefined) {
      this.#rooms.querySelector(`[data-room="${CSS.escape(focused)}"]`)?.focus();
    }
  }

  /* On a narrow screen the rooms are a strip, and the current one may be
   * outside of what is seen. */
  reveal() {
    this.#rooms.querySelector('[aria-current="true"]')?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }
}
