/* log.js - the conversation on the screen. SPDX-License-Identifier: MIT
 *
 * Whatever people wrote reaches the page through textContent only, so markup
 * in a message is shown as the characters it consists of. */

import { clock } from "/lib/format.js";

const KEEP = 300; // entries of a room; older ones go
const TOGETHER = 180; // seconds within which one person's messages are grouped
const NEAR_END = 80; // px from the end that still count as reading along

function make(tag, className, text) {
  const element = document.createElement(tag);
  element.className = className;
  if (text !== undefined) {
    element.textContent = text;
  }
  return element;
}

/* The same nickname has the same colour for everybody. */
function hue(nick) {
  let hash = 0;
  for (const character of nick) {
    hash = (hash * 31 + character.codePointAt(0)) % 3600;
  }
  return hash / 10;
}

function initials(nick) {
  const words = nick.split(" ").slice(0, 2);
  return words.map((word) => [...word][0].toUpperCase()).join("");
}

export function paintAvatar(element, nick) {
  element.textContent = initials(nick);
  element.style.setProperty("--hue", hue(nick));
}

export class Log {
  #element;
  #toEnd;
  #outbox = make("div", "outbox"); // always the last child: my messages on their way
  #rooms = new Map(); // name -> the nodes it showed, while another is shown
  #room = null;
  #last = null; // { id, at, aside, node } of the newest message, for grouping
  #byNick = new Map(); // nick -> id: two people of one name get a tag

  constructor(element, toEnd) {
    this.#element = element;
    this.#toEnd = toEnd;
    // Each is read out when it has come back, so not here already.
    this.#outbox.setAttribute("aria-live", "off");
    element.append(this.#outbox);
    toEnd.addEventListener("click", () => this.scrollToEnd());
    element.addEventListener("scroll", () => {
      if (this.#isAtEnd()) {
        toEnd.hidden = true;
      }
    });
  }

  /* Shows another room: what this page saw there before, or a greeting. */
  enter(room) {
    if (room === this.#room) {
      return;
    }
    if (this.#room !== null) {
      this.#outbox.remove();
      this.#rooms.set(this.#room, [...this.#element.childNodes]);
    }
    this.#room = room;
    this.#last = null;
    this.#byNick.clear();
    this.#element.replaceChildren(...(this.#rooms.get(room) ?? [this.#greeting(room)]), this.#outbox);
    this.scrollToEnd();
  }

  #greeting(room) {
    const greeting = make("p", "welcome");
    greeting.append(make("b", "", `This is #${room}`));
    greeting.append(
      "Nothing was said here lately. Open this page in a second browser to have somebody to talk to.",
    );
    return greeting;
  }

  #messageNode({ id, nick, text, at, mine, aside = "" }) {
    const avatar = make("span", "avatar");
    avatar.setAttribute("aria-hidden", "true");
    paintAvatar(avatar, nick);

    const by = make("div", "by");
    const name = make("b", "", nick);
    name.dir = "auto";
    by.append(name);
    if ((this.#byNick.get(nick) ?? id) !== id) {
      by.append(make("span", "tag", id.slice(0, 4)));
    }
    const time = make("time", "", clock(at));
    time.dateTime = new Date(at * 1000).toISOString();
    by.append(time);
    if (aside) {
      by.append(make("span", "aside", aside));
    }

    const bubble = make("div", "bubble", text);
    bubble.dir = "auto";
    const node = make("div", "message");
    node.classList.toggle("mine", mine);
    node.classList.toggle("private", aside !== "");
    node.append(avatar, by, bubble);
    return node;
  }

  /* A message that came from the server, mine or another's. `aside` says for
   * whom it is, when it is not for all. */
  addMessage(message) {
    const { id, nick, at, aside = "" } = message;
    const node = this.#messageNode(message);
    const last = this.#last;
    const isSameVoice = last?.id === id && last.aside === aside;
    const follows = isSameVoice && at - last.at < TOGETHER && last.node === this.#newest();
    node.classList.add("fresh");
    node.classList.toggle("next", follows);
    if (!this.#byNick.has(nick)) {
      this.#byNick.set(nick, id);
    }
    this.#append(node, message.mine);
    this.#last = { id, at, aside, node };
  }

  /* My own message on its way: it waits at the end until it comes back
   * through the room, where everybody sees it in the same place. Returns its
   * node, for one of the next three. */
  addPending(message) {
    const node = this.#messageNode({ ...message, at: Date.now() / 1000, mine: true });
    node.classList.add("pending");
    node.append(make("p", "fate", "Sending…"));
    this.#outbox.append(node);
    this.scrollToEnd();
    return node;
  }

  /* The line broke; it will be sent again. */
  delay(node) {
    node.querySelector(".fate").textContent = "Waiting for the connection…";
  }

  /* It has come back: the node gives way to the real message. */
  confirm(node) {
    node.remove();
  }

  /* It has not: says why, and offers to take it up again. */
  fail(node, why, retry) {
    const again = make("button", "", "Try again");
    again.type = "button";
    again.addEventListener("click", () => {
      node.remove();
      retry();
    });
    node.classList.replace("pending", "failed");
    node.querySelector(".fate").replaceChildren(why, again);
    this.#append(node, true);
  }

  /* Somebody has left: their name is free for another. */
  forget(id, nick) {
    if (this.#byNick.get(nick) === id) {
      this.#byNick.delete(nick);
    }
  }

  /* A line that nobody said. `kind`: "", "strong", or "strong" and a colour:
   * "reload", "back", "gap", "quiet". A strong line that follows one of its kind
   * replaces it. */
  addNotice(text, kind = "") {
    const last = this.#newest();
    if (kind && last?.className === `notice ${kind}`) {
      last.textContent = text;
      return;
    }
    this.#append(make("p", `notice ${kind}`.trim(), text), false);
  }

  #newest() {
    return this.#outbox.previousSibling;
  }

  #isAtEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.#element;
    return scrollHeight - scrollTop - clientHeight < NEAR_END;
  }

  #append(node, mine) {
    const follow = mine || this.#isAtEnd();
    this.#element.querySelector(".welcome")?.remove();
    this.#outbox.before(node);
    while (this.#element.childElementCount > KEEP) {
      this.#element.firstChild.remove();
    }
    if (follow) {
      this.scrollToEnd();
    } else {
      // Who reads further up is not torn away.
      this.#toEnd.hidden = false;
    }
  }

  scrollToEnd() {
    this.#element.scrollTop = this.#element.scrollHeight;
    this.#toEnd.hidden = true;
  }
}
