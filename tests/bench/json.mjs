#!/usr/bin/env node
/* json.mjs PROGRAM - what tw.json costs a script beside the packaged lua-cjson,
 * in nanoseconds a call: documents of 130 bytes and of 8 KB, decoded and
 * encoded. The two take turns in one worker; each figure is the median of 51
 * rounds, the ratio that of the rounds' ratios.
 *
 * SPDX-License-Identifier: MIT */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const [program] = process.argv.slice(2);
const SCRIPT = fileURLToPath(new URL("./json.lua", import.meta.url));

if (!program) {
  console.error("usage: json.mjs PROGRAM");
  process.exit(2);
}

const folder = mkdtempSync(join(tmpdir(), "tw-bench-"));
writeFileSync(join(folder, "config.lua"), 'return { lua = { budget = "60s", wait = "10m" }, hang = { off = true } }\n');
const flags = ["--listen", "127.0.0.1:0", "--admin", "off", "--workers", "1", "--config", join(folder, "config.lua"), "--runtime-dir", join(folder, "run"), "--log-format", "logfmt"];
const server = spawn(program, ["run", SCRIPT, ...flags], { stdio: ["ignore", "pipe", "pipe"] });
process.on("exit", () => {
  server.kill("SIGTERM");
  rmSync(folder, { recursive: true, force: true });
});

let log = "";
const port = await new Promise((resolve, reject) => {
  const read = (text) => {
    log += text;
    const found = /Tidewire \S+ on https?:\/\/127\.0\.0\.1:(\d+)\//.exec(log);
    found && resolve(Number(found[1]));
  };
  server.stdout.setEncoding("utf8").on("data", read);
  server.stderr.setEncoding("utf8").on("data", read);
  server.once("exit", () => reject(new Error(log)));
});

const row = (...cells) => console.log(cells.map((cell, i) => String(cell)[i ? "padStart" : "padEnd"](14)).join(""));
row("ns a call", "bytes", "tw.json", "lua-cjson", "x lua-cjson");
for (const what of ["decode", "encode"]) {
  for (const size of ["small", "large"]) {
    const answer = await fetch(`http://127.0.0.1:${port}/run/${what}/${size}`);
    const { bytes, ours, theirs, ratio } = await answer.json();
    row(what, bytes, ours.toFixed(0), theirs.toFixed(0), ratio.toFixed(2));
  }
}
process.exit(0);
