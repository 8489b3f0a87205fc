/* chart.js - a line chart over time, drawn on a canvas.
 * SPDX-License-Identifier: MIT
 *
 * Charts are made by a ChartBoard (board.js), which gives them their samples
 * and tells them when to draw. */

import { lessMotion, palette, prepare, traceLine } from "/lib/canvas.js";
import { clock } from "/lib/format.js";

const BOTTOM = 24; // px for the labels of the time
const TOP = 10;
const RIGHT = 10;
const SLIDE = 0.5; // px that the picture moves before it is worth a new frame
const GAP = 3.5; // seconds without a sample that break the line

/* A round number for the top of an axis: the least of 1, 2, 2.5 and 5 times a
 * power of ten that holds `value`; in the fitting unit of bytes, if binary. */
function niceCeiling(value, binary = false) {
  if (value <= 0) {
    return 1;
  }
  const unit = binary ? 1024 ** Math.floor(Math.log(value) / Math.log(1024)) : 1;
  const power = 10 ** Math.floor(Math.log10(value / unit));
  const step = [1, 2, 2.5, 5, 10].find((factor) => factor * power * unit >= value * 0.999) ?? 10;
  return step * power * unit;
}

/* How often a time label, for a window of so many seconds. */
function timeStep(span) {
  return span <= 60 ? 15 : span <= 120 ? 30 : 60;
}

export class Chart {
  /* Options: series, format(value) for the axis and the readings, and of the
   * axis: max (a number, or a function of the newest sample), floor (its
   * least height, when it follows the values), binary (steps for bytes). */
  constructor(board, figure, options) {
    this.board = board;
    this.options = options;
    this.canvas = figure.querySelector("canvas");
    this.tip = figure.querySelector(".chart-tip");
    this.max = 0;
    this.left = 0; // px for the labels of the values; widest so far, lest it wavers
    this.visible = true;
    this.drawnEdge = 0;
    this.isGliding = false;
    this.canvas.tabIndex = 0;
    this.#listen();
  }

  #listen() {
    const { canvas, board } = this;
    canvas.addEventListener("pointermove", (event) => board.mark(this.timeAt(event.offsetX)));
    canvas.addEventListener("pointerleave", () => board.mark(null));
    canvas.addEventListener("blur", () => board.mark(null));
    canvas.addEventListener("keydown", (event) => {
      const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 }[event.key];
      if (steps) {
        event.preventDefault();
        board.markNext(steps);
      } else if (event.key === "Escape") {
        board.mark(null);
      }
    });
    new ResizeObserver(() => board.redraw()).observe(canvas);
    const watchVisible = ([entry]) => {
      this.visible = entry.isIntersecting;
      board.redraw();
    };
    new IntersectionObserver(watchVisible, { rootMargin: "300px" }).observe(canvas);
  }

  timeAt(x) {
    const width = this.canvas.clientWidth - this.left - RIGHT;
    return this.board.edge - this.board.span * (1 - (x - this.left) / width);
  }

  /* Whether the slide has come far enough to be seen. A wide window slides
   * slowly, and drawing it sixty times a second would show the same picture
   * many times over, at the cost of the machine that is being watched. */
  hasMoved() {
    const perSecond = (this.canvas.clientWidth - this.left - RIGHT) / this.board.span;
    return (this.board.edge - this.drawnEdge) * perSecond >= SLIDE || this.isGliding;
  }

  /* The height of the axis. Glides to where the values want it. */
  #axisMax(samples) {
    const { max, floor = 1, binary, series } = this.options;
    if (max !== undefined) {
      const wanted = typeof max === "function" ? max(samples.at(-1)) : max;
      return (this.max = wanted || floor);
    }
    let top = 0;
    for (const sample of samples) {
      for (const { value } of series) {
        top = Math.max(top, value(sample) ?? 0);
      }
    }
    const wanted = niceCeiling(Math.max(top * 1.08, floor), binary);
    this.isGliding = this.max > 0 && !lessMotion.matches && Math.abs(wanted / this.max - 1) > 0.01;
    this.max = this.isGliding ? this.max + (wanted - this.max) * 0.15 : wanted;
    return this.max;
  }

  draw() {
    const { context, width, height } = prepare(this.canvas);
    if (width < 120 || height < TOP + BOTTOM) {
      return;
    }
    const { board } = this;
    this.drawnEdge = board.edge;
    const samples = board.shown();
    const max = this.#axisMax(samples.length ? samples : [{}]);
    context.font = `12px ${palette.get("--sans")}`;
    const area = { left: this.#gutter(context, max), top: TOP, right: width - RIGHT, bottom: height - BOTTOM };
    const x = (at) => area.right - ((board.edge - at) / board.span) * (area.right - area.left);
    const y = (value) => area.bottom - (Math.min(value, max) / max) * (area.bottom - area.top);

    context.lineWidth = 1;
    this.#drawValueAxis(context, area, max, y);
    this.#drawTimeAxis(context, area, x);

    context.save();
    context.beginPath();
    context.rect(area.left, 0, area.right - area.left + 1, height);
    context.clip();
    this.#drawReloads(context, area, samples, x);
    for (const series of this.options.series) {
      this.#drawSeries(context, area, series, samples, x, y);
    }
    context.restore();
    this.#drawMark(context, area, x, y);
  }

  #gutter(context, max) {
    const labels = [max, max / 2, 0].map((value) => context.measureText(this.options.format(value)).width);
    return (this.left = Math.max(this.left, Math.ceil(Math.max(...labels)) + 10));
  }

  #drawValueAxis(context, area, max, y) {
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (const value of [0, max / 2, max]) {
      const line = Math.round(y(value)) + 0.5;
      context.strokeStyle = palette.get("--line");
      context.beginPath();
      context.moveTo(area.left, line);
      context.lineTo(area.right, line);
      context.stroke();
      context.fillStyle = palette.get("--muted");
      context.fillText(this.options.format(value), area.left - 8, line);
    }
  }

  #drawTimeAxis(context, area, x) {
    const { board } = this;
    // Fewer labels where there is little room for them.
    let step = timeStep(board.span);
    while ((step / board.span) * (area.right - area.left) < 56) {
      step *= 2;
    }
    context.textAlign = "center";
    context.textBaseline = "alphabetic";
    context.fillStyle = palette.get("--muted");
    for (let at = Math.ceil((board.edge - board.span) / step) * step; at <= board.edge; at += step) {
      const middle = x(at);
      if (middle > area.left + 18 && middle < area.right - 18) {
        context.fillText(clock(at, step < 60), middle, area.bottom + 18);
      }
    }
  }

  #drawReloads(context, area, samples, x) {
    context.textBaseline = "top";
    for (let i = 1; i < samples.length; i++) {
      if (samples[i].generation === samples[i - 1].generation) {
        continue;
      }
      const line = Math.round(x(samples[i].at)) + 0.5;
      context.strokeStyle = context.fillStyle = palette.get("--violet");
      context.setLineDash([3, 4]);
      context.beginPath();
      context.moveTo(line, area.top);
      context.lineTo(line, area.bottom);
      context.stroke();
      context.setLineDash([]);
      // Beside the line on the left, where it has just come in on the right.
      const label = `gen ${samples[i].generation}`;
      const fits = line + 4 + context.measureText(label).width < area.right;
      context.textAlign = fits ? "left" : "right";
      context.fillText(label, fits ? line + 4 : line - 4, area.top);
    }
  }

  #drawSeries(context, area, series, samples, x, y) {
    const color = palette.get(series.color);
    let run = [];
    const finish = () => {
      if (run.length > 1) {
        this.#drawRun(context, area, series, color, run);
      }
      run = [];
    };
    let before = null;
    for (const sample of samples) {
      const value = series.value(sample);
      if (typeof value !== "number" || (before && sample.at - before.at > GAP)) {
        finish();
      }
      if (typeof value === "number") {
        run.push({ x: x(sample.at), y: y(value) });
      }
      before = sample;
    }
    finish();
  }

  #drawRun(context, area, series, color, run) {
    if (series.fill !== false) {
      const top = Math.min(...run.map((point) => point.y), area.bottom - 1);
      const shade = context.createLinearGradient(0, top, 0, area.bottom);
      shade.addColorStop(0, `${color}4d`);
      shade.addColorStop(1, `${color}0a`);
      context.beginPath();
      traceLine(context, run);
      context.lineTo(run.at(-1).x, area.bottom);
      context.lineTo(run[0].x, area.bottom);
      context.fillStyle = shade;
      context.fill();
    }
    context.beginPath();
    traceLine(context, run);
    context.strokeStyle = color;
    context.lineWidth = 2;
    context.lineJoin = "round";
    context.setLineDash(series.dash ?? []);
    context.stroke();
    context.setLineDash([]);
  }

  #drawMark(context, area, x, y) {
    const sample = this.board.marked();
    this.tip.hidden = !sample;
    if (!sample) {
      return;
    }
    const line = x(sample.at);
    context.strokeStyle = palette.get("--line-strong");
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(line, area.top);
    context.lineTo(line, area.bottom);
    context.stroke();
    for (const { value, color } of this.options.series) {
      if (typeof value(sample) === "number") {
        context.beginPath();
        context.arc(line, y(value(sample)), 4, 0, 2 * Math.PI);
        context.fillStyle = palette.get(color);
        context.fill();
        context.lineWidth = 2;
        context.strokeStyle = palette.get("--surface");
        context.stroke();
      }
    }
    const readings = this.options.series.map(({ label, value }) => {
      const reading = this.options.format(value(sample));
      return label ? `${label} ${reading}` : reading;
    });
    this.tip.textContent = `${clock(sample.at, true)}  ${readings.join("  ")}`;
    // Kept within the chart, whichever side the line is on.
    const left = Math.max(0, Math.min(line - this.tip.offsetWidth / 2, this.canvas.clientWidth - this.tip.offsetWidth));
    this.tip.style.transform = `translateX(${Math.round(left)}px)`;
  }
}
