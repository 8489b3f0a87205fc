/* canvas.js - what everything drawn here needs: sharp canvases, the page's
 * colours, smooth lines. SPDX-License-Identifier: MIT */

/* Whether the visitor asked for less motion (`.matches`); may change. */
export const lessMotion = matchMedia("(prefers-reduced-motion: reduce)");

/* Slopes for a smooth line that never swings past its points (Fritsch and
 * Carlson): between two samples there is nothing that was not measured. */
function slopes(points) {
  const count = points.length;
  const slope = new Float64Array(count);
  let before = 0;
  for (let i = 0; i < count - 1; i++) {
    const after = (points[i + 1].y - points[i].y) / (points[i + 1].x - points[i].x);
    slope[i] = i === 0 ? after : before * after <= 0 ? 0 : (2 * before * after) / (before + after);
    before = after;
  }
  slope[count - 1] = before;
  return slope;
}

/* Adds the smooth line through `points` ({ x, y }, from left to right). */
export function traceLine(context, points) {
  const slope = slopes(points);
  context.moveTo(points[0].x, points[0].y);
  for (let i = 1; i < points.length; i++) {
    const from = points[i - 1];
    const to = points[i];
    const third = (to.x - from.x) / 3;
    context.bezierCurveTo(
      from.x + third,
      from.y + third * slope[i - 1],
      to.x - third,
      to.y - third * slope[i],
      to.x,
      to.y,
    );
  }
}

/* Makes the canvas as sharp as the screen; returns its context and size. */
export function prepare(canvas) {
  const ratio = devicePixelRatio || 1;
  const width = canvas.clientWidth;
  const height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

/* The page's colours, by name; read once for each theme. */
class Palette {
  #style = getComputedStyle(document.documentElement);
  #cache = new Map();

  constructor() {
    document.addEventListener("themechange", () => this.#cache.clear());
  }

  get(name) {
    let color = this.#cache.get(name);
    if (!color) {
      color = this.#style.getPropertyValue(name).trim();
      this.#cache.set(name, color);
    }
    return color;
  }
}

export const palette = new Palette();

/* A small area without axes: the last `length` values, 0 to `max`. */
export function drawSparkline(canvas, values, { max, length, color }) {
  const { context, width, height } = prepare(canvas);
  if (values.length < 2 || width === 0) {
    return;
  }
  const ink = palette.get(color);
  const start = length - values.length;
  const points = values.map((value, i) => ({
    x: ((start + i) / (length - 1)) * width,
    y: height - 1.5 - (Math.min(value, max) / max) * (height - 3),
  }));
  context.beginPath();
  traceLine(context, points);
  context.strokeStyle = ink;
  context.lineWidth = 1.5;
  context.stroke();
  context.lineTo(width, height);
  context.lineTo(points[0].x, height);
  context.fillStyle = `${ink}2e`;
  context.fill();
}
