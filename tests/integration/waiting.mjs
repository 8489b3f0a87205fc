/* waiting.mjs - how tests wait and how they measure time, on a machine that may
 * be slow, and busy with other things.
 *
 * Nothing here sleeps for a guessed time: whatever is expected is waited for,
 * and `patience` says when to give up. What has to be quick is measured so that
 * the noise of the machine does not count: see `least` and `watch`.
 *
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

export const sanitized = process.env.TW_SANITIZE === "1";

/* Milliseconds to wait for what must come. Long, because a machine may be busy
 * with other things, and longer where a sanitizer slows everything down: only
 * a test that fails waits for so long. */
export const patience = (ms = 30_000) => (sanitized ? 2 * ms : ms);

/* Settles as `promise` does, or rejects when that takes too long. */
export async function within(what, promise, ms = patience()) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${ms} ms: ${what}`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/* What a trial measures is the product's plus the machine's noise. A fault of
 * the product shows in every trial and noise does not: the least of up to
 * `trials` measurements must be at most `limit`. Gives that one. */
export async function least(what, limit, measure, trials = 6) {
  let best = Infinity;
  for (let trial = 0; trial < trials && best > limit; trial++) {
    best = Math.min(best, await measure(trial));
  }
  assert.ok(best <= limit, `${what}: ${best.toFixed(1)}, more than ${limit} in each of ${trials} trials`);
  return best;
}

/* Milliseconds for which a process was ready to run and had no core. */
function starved(pid) {
  try {
    return Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ")[1]) / 1e6;
  } catch {
    return 0; // no such file, or the process has ended
  }
}

/* A watch that stands still while this process or the one with `pid` is kept
 * waiting for a core by others (not both: they may wait at the same time).
 * Returns a function that gives milliseconds. */
export function watch(pid) {
  const began = performance.now();
  const before = [starved("self"), starved(pid)];
  return () => {
    const lost = Math.max(starved("self") - before[0], starved(pid) - before[1]);
    return Math.max(0, performance.now() - began - lost);
  };
}

/* Asks again and again until the answer is true, and returns that. */
export async function until(what, ask, ms = patience()) {
  for (const end = Date.now() + ms; ; ) {
    const answer = await ask();
    if (answer) {
      return answer;
    }
    assert.ok(Date.now() < end, `not within ${ms} ms: ${what}`);
    await pause(10);
  }
}
