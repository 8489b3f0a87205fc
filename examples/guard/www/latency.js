/* latency.js - how long things took: the last of each, the usual, and a line of
 * those before. SPDX-License-Identifier: MIT */

import { drawSparkline } from "/lib/canvas.js";

const LENGTH = 40; // of each that are remembered

/* Two digits that say something, whether it is a fraction of a millisecond. */
export function milliseconds(ms) {
  return ms === undefined ? "–" : `${ms < 9.95 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
}

function make(tag, className = "", text = "") {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}

export class Latency {
  #figures = new Map(); // name -> { values, last, usual, canvas, color }

  /* `kinds` are [name, title, colour] of what is shown within `place`. */
  constructor(place, kinds) {
    for (const [name, title, color] of kinds) {
      const box = make("div", "figure");
      const figure = { values: [], last: make("dd", "", "–"), usual: make("dd", "usual"), canvas: make("canvas"), color };
      figure.last.dataset.value = name;
      figure.canvas.setAttribute("aria-hidden", "true");
      box.append(make("dt", "", title), figure.last, figure.usual, figure.canvas);
      place.append(box);
      this.#figures.set(name, figure);
    }
    new ResizeObserver(() => this.#drawAll()).observe(place);
    document.addEventListener("themechange", () => this.#drawAll());
  }

  add(name, ms) {
    const figure = this.#figures.get(name);
    figure.values = [...figure.values, ms].slice(-LENGTH);
    figure.last.textContent = milliseconds(ms);
    figure.usual.textContent = `usually ${milliseconds(median(figure.values))}, at most ${milliseconds(Math.max(...figure.values))}`;
    this.#draw(figure);
  }

  #draw({ canvas, values, color }) {
    drawSparkline(canvas, values, { max: Math.max(...values) || 1, length: LENGTH, color });
  }

  #drawAll() {
    this.#figures.forEach((figure) => this.#draw(figure));
  }
}
