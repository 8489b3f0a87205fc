/* view.js - draws a board: what stays on one canvas, what moves on another one
 * above it. SPDX-License-Identifier: MIT
 *
 * A board has 16,000 by 10,000 units on every screen. */

import { palette, prepare } from "/lib/canvas.js";

export const WIDTH = 16_000;
export const HEIGHT = 10_000;

const FADES = 15_000; // ms until a cursor that rests is not shown any more
const ARROW = [[0, 0], [0, 17], [4.5, 13], [7.5, 19.5], [10.5, 18], [7.5, 12], [13, 12]];

export class View {
  #frame;
  #sheet;
  #ink;
  #over;
  #scale = 0;
  #isDue = false;
  #source;
  #fade = 0;

  /* `source` is asked for what there is: list(), pieces() and cursors(). */
  constructor({ frame, sheet, ink, over }, source) {
    this.#frame = frame;
    this.#sheet = sheet;
    this.#ink = ink;
    this.#over = over;
    this.#source = source;
    new ResizeObserver(() => this.#resize()).observe(frame);
    document.addEventListener("themechange", () => this.drawAll());
    this.#resize();
  }

  /* Where an event is, in units of the board. */
  where({ clientX, clientY }) {
    const { left, top } = this.#ink.getBoundingClientRect();
    const whole = (value, most) => Math.round(Math.min(most, Math.max(0, value / this.#scale)));
    return { x: whole(clientX - left, WIDTH), y: whole(clientY - top, HEIGHT) };
  }

  /* How many units are one pixel of the screen. */
  get unit() {
    return 1 / this.#scale;
  }

  #resize() {
    const style = getComputedStyle(this.#frame);
    const room = (side, size) => size - 2 * parseFloat(style.getPropertyValue(`padding-${side}`));
    const width = room("left", this.#frame.clientWidth), height = room("top", this.#frame.clientHeight);
    this.#scale = Math.max(0.005, Math.min(width / WIDTH, height / HEIGHT));
    this.#sheet.style.width = `${Math.floor(WIDTH * this.#scale)}px`;
    this.#sheet.style.height = `${Math.floor(HEIGHT * this.#scale)}px`;
    this.drawAll();
  }

  /* All of it anew. */
  drawAll() {
    const { context } = prepare(this.#ink);
    this.#source.list().forEach((stroke) => this.#stroke(context, stroke));
    this.drawOver();
  }

  /* One more, on top of what is there. */
  drawTop(stroke) {
    this.#stroke(this.#ink.getContext("2d"), stroke);
    this.drawOver();
  }

  /* What moves, with the next frame: once for all that came by then. */
  drawOver() {
    if (!this.#isDue) {
      this.#isDue = true;
      requestAnimationFrame(() => {
        this.#isDue = false;
        this.#drawOver();
      });
    }
  }

  #drawOver() {
    const { context } = prepare(this.#over);
    this.#source.pieces().forEach((piece) => this.#stroke(context, piece));
    const now = Date.now();
    const shown = this.#source.cursors().filter(({ at }) => now - at < FADES);
    shown.forEach((cursor) => this.#cursor(context, cursor));
    clearTimeout(this.#fade);
    if (shown.length > 0) {
      this.#fade = setTimeout(() => this.drawOver(), 1_000);
    }
  }

  /* Through the middles between points: smooth, and the same for a piece and
   * for the whole. */
  #stroke(context, { color, width, points }) {
    const at = (i) => [points[2 * i] * this.#scale, points[2 * i + 1] * this.#scale];
    const count = points.length / 2;
    context.strokeStyle = palette.get(`--pen-${color}`);
    context.lineWidth = Math.max(1, width * this.#scale);
    context.lineCap = context.lineJoin = "round";
    context.beginPath();
    context.moveTo(...at(0));
    for (let i = 1; i < count - 1; i++) {
      const [x, y] = at(i);
      const [nextX, nextY] = at(i + 1);
      context.quadraticCurveTo(x, y, (x + nextX) / 2, (y + nextY) / 2);
    }
    context.lineTo(...at(count - 1)); // a point alone becomes a dot
    context.stroke();
  }

  #cursor(context, { x, y, nick, color }) {
    const [left, top] = [x * this.#scale, y * this.#scale];
    context.fillStyle = palette.get(`--pen-${color}`);
    context.beginPath();
    ARROW.forEach(([dx, dy], i) => context[i === 0 ? "moveTo" : "lineTo"](left + dx, top + dy));
    context.fill();
    if (nick) {
      context.font = "600 13px system-ui, sans-serif";
      context.fillText(nick, left + 14, top + 26);
    }
  }
}
