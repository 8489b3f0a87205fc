/* examples.mjs - the code of an example, and what its guide shows of it.
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { source } from "./harness.mjs";
import { page, read } from "./pages.mjs";

/* A guide leaves out what is not its subject, but what it shows is what runs:
 * each paragraph of its Lua stands in a file of the example. */
export function assertShows(guide, example) {
  const files = readdirSync(`${source}/examples/${example}`).filter((name) => name.endsWith(".lua"));
  const code = files.map((name) => read(`examples/${example}/${name}`)).join("\n");
  const blocks = page(guide).blocks.filter(({ language }) => language === "lua");
  assert.ok(blocks.length > 0, `${guide} shows no Lua`);
  for (const paragraph of blocks.flatMap(({ text }) => text.trimEnd().split(/\n{2,}/))) {
    assert.ok(code.includes(`${paragraph}\n`), `${guide}: examples/${example} has no such lines:\n${paragraph}`);
  }
}
