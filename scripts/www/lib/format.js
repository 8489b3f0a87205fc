/* format.js - numbers as people read them. SPDX-License-Identifier: MIT
 * What is unknown (null, undefined, NaN) becomes a dash. */

const DASH = "–";
const BYTES = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

function known(value) {
  return typeof value === "number" && Number.isFinite(value);
}

/* Three significant digits, but never fewer than the whole number. */
function short(value) {
  if (value >= 100) {
    return Math.round(value).toLocaleString("en");
  }
  return value.toFixed(value >= 10 ? 1 : 2).replace(/\.?0+$/, "");
}

export function bytes(value) {
  if (!known(value)) {
    return DASH;
  }
  let unit = 0;
  while (value >= 1024 && unit < BYTES.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? Math.round(value) : short(value)} ${BYTES[unit]}`;
}

export function byteRate(value) {
  return known(value) ? `${bytes(value)}/s` : DASH;
}

export function percent(value) {
  return known(value) ? `${value > 0 && value < 9.95 ? value.toFixed(1) : Math.round(value)} %` : DASH;
}

export function count(value) {
  return known(value) ? Math.round(value).toLocaleString("en") : DASH;
}

/* A rate: a decimal where it says something. */
export function rate(value) {
  return known(value) ? short(value) : DASH;
}

export function fixed(value) {
  return known(value) ? value.toFixed(2) : DASH;
}

/* The two largest units: "3 d 4 h", "12 min 5 s". */
export function duration(seconds) {
  if (!known(seconds)) {
    return DASH;
  }
  const parts = [
    [Math.floor(seconds / 86400), "d"],
    [Math.floor(seconds / 3600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "min"],
    [Math.floor(seconds) % 60, "s"],
  ];
  const first = parts.findIndex(([amount]) => amount > 0);
  if (first < 0) {
    return "0 s";
  }
  return parts
    .slice(first, first + 2)
    .map(([amount, unit]) => `${amount} ${unit}`)
    .join(" ");
}

/* The time of day, with seconds if asked. */
export function clock(seconds, withSeconds = false) {
  return new Date(seconds * 1000).toLocaleTimeString([], {
    hour: "2-digit",
    minute: "2-digit",
    second: withSeconds ? "2-digit" : undefined,
    hour12: false,
  });
}
