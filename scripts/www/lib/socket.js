/* socket.js - a WebSocket that comes back. SPDX-License-Identifier: MIT
 *
 *   import { ReconnectingSocket } from "/lib/socket.js";
 *
 *   const socket = new ReconnectingSocket("/chat/ws");
 *   socket.addEventListener("open", () => socket.send({ type: "join" }));
 *   socket.addEventListener("message", (event) => show(event.detail));
 *   socket.addEventListener("state", () => draw(socket.state, socket.retryAt));
 *
 * Messages are JSON in both directions. Events:
 *   open     connected, for the first time or again
 *   message  event.detail is the decoded message
 *   state    socket.state has changed
 * States:
 *   connecting  an attempt is under way
 *   online      messages flow
 *   waiting     the next attempt comes at socket.retryAt (ms, as Date.now())
 *   closed      close() was called, or the server forbade coming back
 *
 * How it waits: "full jitter". The nth attempt comes at a random moment within
 * a window that doubles from `base` up to `cap`. When a server restarts, its
 * clients lose their connections in the same instant; if they waited equally
 * long they would all return in one instant too, and again after each failure.
 * Spread over the whole window, they arrive as an even trickle. */

const DEFAULTS = {
  base: 1_000, // ms, the first window
  cap: 20_000, // ms, the largest window
  quick: 500, // ms, the window after an announced restart (1012)
  stable: 10_000, // ms online until earlier failures are forgotten
  connectTimeout: 10_000, // ms an attempt may take
  silence: 0, // ms without any message until the line counts as dead; 0: never
  fatal: [1002, 1003, 1007, 1009, 1010], // close codes that trying again cannot mend
  random: Math.random,
};

const SERVICE_RESTART = 1012;
const TRY_AGAIN_LATER = 1013;

/* An address on this server, as ws: or wss: like the page itself. */
function socketUrl(path) {
  const url = new URL(path, location.href);
  url.protocol = url.protocol.replace(/^http/, "ws");
  return url.href;
}

export class ReconnectingSocket extends EventTarget {
  #url;
  #options;
  #socket = null;
  #state = "closed";
  #failures = 0;
  #retryAt = 0;
  #lastClose = null;
  #timer = 0; // of the state: attempt under way, wait, or becoming stable
  #watchdog = 0;
  #heardAt = 0;

  /* Connects at once. `options` are those of DEFAULTS. */
  constructor(path, options = {}) {
    super();
    this.#url = socketUrl(path);
    this.#options = { ...DEFAULTS, ...options };
    addEventListener("online", this.#networkIsBack);
    addEventListener("pageshow", this.#pageIsBack);
    document.addEventListener("visibilitychange", this.#pageIsBack);
    this.#connect();
  }

  get state() {
    return this.#state;
  }

  /* When the next attempt comes, while waiting. */
  get retryAt() {
    return this.#retryAt;
  }

  /* { code, reason } of the last connection that ended, or null. */
  get lastClose() {
    return this.#lastClose;
  }

  /* Sends `message` as JSON. Returns false, and sends nothing, when not
   * online: nothing is queued behind the user's back. */
  send(message) {
    if (this.#state !== "online") {
      return false;
    }
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  /* Ends a wait: the user does not want to see it out. */
  retryNow() {
    if (this.#state === "waiting") {
      this.#connect();
    }
  }

  /* Closes for good. */
  close(code = 1000, reason = "") {
    removeEventListener("online", this.#networkIsBack);
    removeEventListener("pageshow", this.#pageIsBack);
    document.removeEventListener("visibilitychange", this.#pageIsBack);
    this.#detach()?.close(code, reason);
    this.#enter("closed");
  }

  #enter(state) {
    this.#state = state;
    this.dispatchEvent(new Event("state"));
  }

  /* Lets go of the socket: whatever it still reports is not heard. */
  #detach() {
    clearTimeout(this.#timer);
    clearInterval(this.#watchdog);
    const socket = this.#socket;
    this.#socket = null;
    if (socket) {
      socket.onopen = socket.onmessage = socket.onclose = null;
    }
    return socket;
  }

  #connect() {
    this.#detach();
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    socket.onopen = () => this.#opened();
    socket.onmessage = (event) => this.#heard(event.data);
    socket.onclose = (event) => this.#lost(event.code, event.reason);
    this.#timer = setTimeout(() => this.#giveUp("no answer"), this.#options.connectTimeout);
    this.#enter("connecting");
  }

  #opened() {
    clearTimeout(this.#timer);
    // Not forgotten right away: a server that accepts and then closes would
    // otherwise be asked again without end in the smallest window.
    this.#timer = setTimeout(() => (this.#failures = 0), this.#options.stable);
    this.#heardAt = Date.now();
    if (this.#options.silence > 0) {
      this.#watchdog = setInterval(() => this.#checkSilence(), 1_000);
    }
    this.#enter("online");
    this.dispatchEvent(new Event("open"));
  }

  #heard(data) {
    this.#heardAt = Date.now();
    let message;
    try {
      message = JSON.parse(data);
    } catch {
      console.warn("not JSON, left out:", data);
      return;
    }
    this.deliver(message);
  }

  /* Hands a message on; for those who extend this class. */
  deliver(message) {
    this.dispatchEvent(new CustomEvent("message", { detail: message }));
  }

  /* A line that was cut without a goodbye looks open for minutes. */
  #checkSilence() {
    if (Date.now() - this.#heardAt > this.#options.silence) {
      this.#giveUp("silence");
    }
  }

  /* Does not wait for the closing handshake of a line that is dead. */
  #giveUp(reason) {
    this.#detach()?.close();
    this.#lost(1006, reason);
  }

  #lost(code, reason) {
    this.#detach();
    this.#lastClose = { code, reason };
    if (this.#options.fatal.includes(code)) {
      this.#enter("closed");
      return;
    }
    // A server that announced its restart has a successor coming up, and asks
    // its clients back. That is no failure; not finding it there would be.
    const announced = code === SERVICE_RESTART && this.#failures === 0;
    this.#wait(announced ? this.#options.quick : this.#window(code));
    if (!announced) {
      this.#failures += 1;
    }
  }

  /* The window in which to come back, in ms. */
  #window(code) {
    const { base, cap } = this.#options;
    // Told to come later, start where three failures would have led.
    const doublings = this.#failures + (code === TRY_AGAIN_LATER ? 3 : 0);
    return Math.min(cap, base * 2 ** Math.min(doublings, 30));
  }

  #wait(within) {
    clearTimeout(this.#timer);
    const delay = this.#options.random() * within;
    this.#retryAt = Date.now() + delay;
    this.#timer = setTimeout(() => this.#connect(), delay);
    this.#enter("waiting");
  }

  /* The network is there again, for everybody behind it: hurry, but not all
   * at once. Its loss is not acted on: a server on this very machine does
   * not mind, and for others the line falls silent by itself. */
  #networkIsBack = () => {
    if (this.#state === "waiting") {
      this.#wait(Math.min(this.#options.quick, Math.max(0, this.#retryAt - Date.now())));
    }
  };

  /* Somebody is looking again: they should not sit out a long wait. */
  #pageIsBack = () => {
    if (document.visibilityState === "visible") {
      this.retryNow();
    }
  };
}
