/* page-module.mjs - the modules of the pages, for tests without a browser.
 *
 * A browser takes a file for a module because a page says so; Node wants to be
 * told by a package.json, which the pages' folder has no use for. So Node gets
 * a copy of that folder.
 *
 * SPDX-License-Identifier: MIT */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const source = fileURLToPath(new URL("../../scripts/www/lib", import.meta.url));
const copy = mkdtempSync(join(tmpdir(), "tw-pages-"));
cpSync(source, copy, { recursive: true });
writeFileSync(join(copy, "package.json"), '{ "type": "module" }\n');
process.on("exit", () => rmSync(copy, { recursive: true }));

export function pageModule(name) {
  return import(pathToFileURL(join(copy, name)).href);
}
