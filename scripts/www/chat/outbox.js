/* outbox.js - what was sent and has not come back. SPDX-License-Identifier: MIT
 *
 * A message is on its way until the page hears it through its channel, where
 * everybody sees it in the same place. When the line breaks before, nobody can
 * know whether it arrived. It is sent again then, under the reference it had:
 * the server publishes it once, and who missed it hears it from history. The
 * server knows references for five minutes; later the visitor is asked. */

const CONFIRM_WITHIN = 20_000; // ms until a message that did not come back is in doubt
const SEND_AGAIN_WITHIN = 120_000; // ms from when it was first sent

export class Outbox {
  #log;
  #sendNow;
  #takeUp;
  #waiting = new Map(); // ref -> { node, message, timer, sentAt, isPaused }
  #page = Math.random().toString(36).slice(2, 12); // another window counts from 1, too
  #next = 1;

  /* `sendNow(message)` tells whether it could; `takeUp(text)` is called when the
   * visitor wants to try again by hand. */
  constructor(log, sendNow, takeUp) {
    this.#log = log;
    this.#sendNow = sendNow;
    this.#takeUp = takeUp;
  }

  /* Sends a message with a `text`, and shows it as on its way, with what `shown`
   * says beside. False: it cannot be sent now. */
  send(message, shown) {
    const ref = `${this.#page}.${this.#next}`;
    const sent = { ...message, ref };
    if (!this.#sendNow(sent)) {
      return false;
    }
    this.#next += 1;
    const node = this.#log.addPending({ ...shown, text: message.text });
    this.#waiting.set(ref, { node, message: sent, timer: 0, sentAt: Date.now(), isPaused: false });
    this.#expect(ref);
    return true;
  }

  /* It has come back. */
  confirm(ref) {
    const entry = this.#settle(ref);
    if (entry) {
      this.#log.confirm(entry.node);
    }
  }

  /* It will not. False: there is no such message. */
  fail(ref, why) {
    const entry = this.#settle(ref);
    if (!entry) {
      return false;
    }
    this.#log.fail(entry.node, why, () => this.#takeUp(entry.message.text));
    return true;
  }

  giveUp(why) {
    for (const ref of [...this.#waiting.keys()]) {
      this.fail(ref, why);
    }
  }

  /* The line broke: whatever is on its way waits for the next one. */
  pause() {
    for (const entry of this.#waiting.values()) {
      clearTimeout(entry.timer);
      entry.isPaused = true;
      this.#log.delay(entry.node);
    }
  }

  /* There is a line again, and the room has been entered. */
  sendAgain() {
    for (const [ref, entry] of this.#waiting) {
      if (!entry.isPaused) {
        continue;
      }
      entry.isPaused = false;
      if (Date.now() - entry.sentAt > SEND_AGAIN_WITHIN) {
        this.fail(ref, "The connection broke. It may not have arrived.");
        continue;
      }
      this.#sendNow(entry.message);
      this.#expect(ref);
    }
  }

  #expect(ref) {
    const entry = this.#waiting.get(ref);
    clearTimeout(entry.timer);
    entry.timer = setTimeout(() => this.fail(ref, "No answer. It may not have arrived."), CONFIRM_WITHIN);
  }

  #settle(ref) {
    const entry = this.#waiting.get(ref);
    if (entry) {
      clearTimeout(entry.timer);
      this.#waiting.delete(ref);
    }
    return entry;
  }
}
