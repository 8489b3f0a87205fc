/* pen.js - what somebody draws, with a mouse, a pen, a finger or the keyboard.
 * SPDX-License-Identifier: MIT
 *
 * One pen for one board: while a finger draws, other fingers do nothing. */

const CLOSEST = 2; // pixels between two points
const MOST = 2_000; // numbers of a stroke: a longer one goes on as another
const STEP = 100; // units, of an arrow key

const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(9)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export class Pen {
  #view;
  #size;
  #style;
  #on;
  #pointer = null; // of the stroke under way; "key" for the keyboard
  #stroke = null;
  #at; // of the keyboard's pen

  /* `style()` answers { color, width }. `on.move(place)`, `on.draw(stroke,
   * from)` while it is drawn, `from` being where what is new begins, and
   * `on.done(stroke)`; `on.key(place, isDown)` for the keyboard's pen. */
  constructor(canvas, view, { width, height }, style, on) {
    this.#view = view;
    this.#size = [width, height];
    this.#at = { x: width / 2, y: height / 2 };
    this.#style = style;
    this.#on = on;
    const listen = (name, fn) => canvas.addEventListener(name, fn);
    listen("pointerdown", (event) => this.#down(event));
    listen("pointermove", (event) => this.#move(event));
    listen("pointerup", (event) => this.#up(event));
    listen("pointercancel", (event) => this.#up(event));
    listen("lostpointercapture", (event) => this.#up(event));
    listen("keydown", (event) => this.#key(event));
    listen("blur", () => this.#pointer === "key" && this.#end());
  }

  /* What is being drawn, or null. */
  get stroke() {
    return this.#stroke;
  }

  #begin(pointer, { x, y }) {
    this.#pointer = pointer;
    this.#stroke = { id: newId(), ...this.#style(), points: [x, y] };
    this.#on.draw(this.#stroke, 0);
  }

  #extend(place) {
    const { points } = this.#stroke;
    const from = points.length;
    points.push(place.x, place.y);
    this.#on.draw(this.#stroke, from);
    if (points.length >= MOST) {
      const pointer = this.#pointer;
      this.#end();
      this.#begin(pointer, place);
    }
  }

  #end() {
    const stroke = this.#stroke;
    this.#pointer = this.#stroke = null;
    this.#on.done(stroke);
  }

  #down(event) {
    if (this.#pointer !== null || event.button !== 0) {
      return;
    }
    // What was pressed goes on being drawn also where it leaves the board.
    event.target.setPointerCapture(event.pointerId);
    this.#begin(event.pointerId, this.#view.where(event));
  }

  #move(event) {
    this.#on.move(this.#view.where(event));
    if (event.pointerId !== this.#pointer) {
      return;
    }
    // Between two frames there may have been more than one place.
    const events = event.getCoalescedEvents?.() ?? [];
    for (const one of events.length > 0 ? events : [event]) {
      const { points } = this.#stroke;
      const place = this.#view.where(one);
      const way = Math.hypot(place.x - points.at(-2), place.y - points.at(-1));
      if (way >= CLOSEST * this.#view.unit) {
        this.#extend(place);
      }
    }
  }

  #up(event) {
    if (event.pointerId === this.#pointer) {
      this.#end();
    }
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    if (KEYS[event.key]) {
      const [dx, dy] = KEYS[event.key];
      const step = event.shiftKey ? 8 * STEP : STEP;
      const within = (value, most) => Math.min(most, Math.max(0, value));
      this.#at = { x: within(this.#at.x + dx * step, this.#size[0]), y: within(this.#at.y + dy * step, this.#size[1]) };
      this.#on.move(this.#at);
      if (this.#pointer === "key") {
        this.#extend(this.#at);
      }
    } else if (event.key !== " " || (this.#pointer !== null && this.#pointer !== "key")) {
      return;
    } else if (this.#pointer === "key") {
      this.#end();
    } else {
      this.#begin("key", this.#at);
    }
    event.preventDefault();
    this.#on.key(this.#at, this.#pointer === "key");
  }
}
