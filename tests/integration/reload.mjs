/* reload.mjs - one server and the scripts that it reloads, for a file of tests:
 * each test calls `start` with its own.
 *
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { after, afterEach, beforeEach } from "node:test";
import { dropAll } from "./client.mjs";
import { Scripts, Server } from "./harness.mjs";

/* A script whose answers name what is in it. */
export const app = (name, body = "") => `
local tw = require "tidewire"
${body}
return tw.app {
    drain = { spread = 0 },
    on_open = function(conn) return conn:subscribe "all" end,
    on_message = function(conn, msg) conn:send("${name} " .. tw.generation .. " " .. msg.data) end,
}
`;

export let server, scripts;

/* `files` is the text of main.lua, or texts by name. */
export async function start(files, options) {
  scripts = new Scripts(typeof files === "string" ? { "main.lua": files } : files);
  server = await Server.start(scripts.path(), options);
  return server;
}

/* Ends the server before the test is over. */
export async function stop() {
  const old = server;
  server = null;
  await old.stop();
  return old;
}

export async function reloaded(answer = server.reload()) {
  const { status, body } = await answer;
  assert.equal(status, 200, body);
  return JSON.parse(body).generation;
}

/* Why a reload was refused; the generation is the one before. */
export async function refused() {
  const before = (await server.status()).generation;
  const { status, body } = await server.reload();
  assert.ok(status === 422 || status === 409, `${status}: ${body}`);
  const after = await server.status();
  assert.equal(after.generation, before);
  assert.deepEqual(after.workers.map((worker) => worker.generation), after.workers.map(() => before));
  return JSON.parse(body).error.message;
}

export async function ask(client, question) {
  return (await client.send(question)).next();
}

/* Registers what surrounds every test of the file that calls it. */
export function surround() {
  beforeEach(() => {
    server = scripts = null;
  });
  afterEach(async () => {
    dropAll();
    await server?.stop();
    scripts?.remove();
  });
  after(dropAll);
}
