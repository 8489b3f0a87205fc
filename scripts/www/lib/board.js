/* board.js - charts that share their samples, their time and their pointer.
 * SPDX-License-Identifier: MIT
 *
 *   const board = new ChartBoard(samples);
 *   board.add(figure, { series: [{ value: (s) => s.cpu, color: "--accent" }], ... });
 *   board.changed();        after a sample was added
 *
 * `samples` has the oldest first, each with `at` in seconds. A figure holds a
 * canvas and an element of the class chart-tip for the readings under the
 * pointer; chart.js lists a chart's options.
 *
 * The picture slides evenly although samples come in steps: its right edge is
 * a little more than one interval in the past, so the next point is always
 * there before it is needed. For visitors who prefer less motion it moves once
 * a sample instead. */

import { lessMotion } from "/lib/canvas.js";
import { Chart } from "/lib/chart.js";

const DELAY = 1.15; // seconds that the right edge is in the past

export class ChartBoard {
  #samples;
  #charts = [];
  #mark = null;
  #drift = null; // how far this clock is ahead of the server's
  #frame = 0;
  #dirty = false;

  constructor(samples, span = 120) {
    this.#samples = samples;
    this.span = span;
    this.edge = Date.now() / 1000;
    document.addEventListener("themechange", () => this.redraw());
    document.addEventListener("visibilitychange", () => this.redraw());
    lessMotion.addEventListener("change", () => this.redraw());
  }

  add(figure, options) {
    this.#charts.push(new Chart(this, figure, options));
  }

  setSpan(seconds) {
    this.span = seconds;
    this.redraw();
  }

  /* A sample was added: corrects the clock by it and draws. */
  changed() {
    const drift = Date.now() / 1000 - this.#samples.at(-1).at;
    // A late sample says that the line was slow, not that the clocks moved:
    // what counts is the quickest; larger values are only crept up to.
    this.#drift = this.#drift === null || drift < this.#drift ? drift : this.#drift + (drift - this.#drift) * 0.02;
    this.redraw();
  }

  /* The samples in view, and one more on the left so that the line enters
   * from the side. */
  shown() {
    const from = this.edge - this.span;
    let first = this.#samples.findIndex((sample) => sample.at >= from);
    if (first < 0) {
      return [];
    }
    first = Math.max(0, first - 1);
    return first === 0 ? this.#samples : this.#samples.slice(first);
  }

  /* Marks a moment on all charts, or none (null). */
  mark(at) {
    this.#mark = at;
    this.redraw();
  }

  markNext(steps) {
    const samples = this.#samples;
    if (samples.length > 0) {
      const now = this.#mark === null ? samples.length - 1 : samples.indexOf(this.marked()) + steps;
      this.mark(samples[Math.max(0, Math.min(samples.length - 1, now))].at);
    }
  }

  /* The sample nearest to the marked moment, if that is in view. */
  marked() {
    if (this.#mark === null) {
      return null;
    }
    let nearest = null;
    for (const sample of this.shown()) {
      if (!nearest || Math.abs(sample.at - this.#mark) < Math.abs(nearest.at - this.#mark)) {
        nearest = sample;
      }
    }
    return nearest && nearest.at >= this.edge - this.span ? nearest : null;
  }

  /* Something has changed: draws all anew with the next frame. */
  redraw() {
    this.#dirty = true;
    this.#schedule();
  }

  #schedule() {
    this.#frame ||= requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    this.#frame = 0;
    if (document.hidden) {
      return; // comes back with visibilitychange
    }
    const dirty = this.#dirty;
    this.#dirty = false;
    if (lessMotion.matches || this.#samples.length === 0) {
      this.edge = this.#samples.at(-1)?.at ?? Date.now() / 1000;
    } else {
      this.edge = Date.now() / 1000 - this.#drift - DELAY;
      this.#schedule(); // the slide never ends
    }
    for (const chart of this.#charts) {
      if (chart.visible && (dirty || chart.hasMoved())) {
        chart.draw();
      }
    }
  }
}
