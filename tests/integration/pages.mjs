/* pages.mjs - the Markdown files of the repository, taken apart.
 *
 * A comment on the line before a block of code says what a test does with it:
 *   <!-- file: NAME -->     belongs to the application of its page; a later
 *                           block of that name replaces it
 *   <!-- config -->         a configuration file
 *   <!-- fragment -->       statements; `fragment: fields` is what stands in a
 *                           table
 *
 * SPDX-License-Identifier: MIT */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { source } from "./harness.mjs";

const FENCE = /^```(\w*)$/;
const MARK = /^<!-- (\w+)(?:: (\S+))? -->$/;

function* markdownBelow(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      yield* markdownBelow(path);
    } else if (entry.name.endsWith(".md")) {
      yield path;
    }
  }
}

/* The anchor that Markdown viewers make of a heading. */
function anchorOf(heading) {
  const plain = heading.replace(/[^\p{Letter}\p{Number}\s_-]/gu, "");
  return plain.toLowerCase().replace(/\s/g, "-");
}

class Page {
  blocks = [];
  headings = [];
  prose = ""; // without the blocks

  constructor(path) {
    this.path = path;
    this.name = relative(source, path);
    let block = null;
    let before = "";
    readFileSync(path, "utf8").split("\n").forEach((line, i) => {
      const fence = FENCE.exec(line);
      if (block && line === "```") {
        this.blocks.push(block);
        block = null;
      } else if (block) {
        block.text += `${line}\n`;
      } else if (fence) {
        const [, mark, value] = MARK.exec(before) ?? [];
        block = { page: this, language: fence[1], line: i + 1, mark, value, text: "" };
      } else {
        this.prose += `${line}\n`;
        const heading = /^#+ (.*)$/.exec(line);
        heading && this.headings.push({ text: heading[1], level: line.indexOf(" "), anchor: anchorOf(heading[1]) });
      }
      before = line;
    });
  }

  /* Rows of all tables, as lists of cells. */
  rows() {
    const lines = this.prose.split("\n").filter((line) => line.startsWith("|") && !line.startsWith("| ---"));
    return lines.map((line) => line.slice(1, -1).split(/(?<!\\)\|/).map((cell) => cell.trim()));
  }
}

const folders = ["docs", "examples", "scripts"];
const top = readdirSync(source).filter((name) => name.endsWith(".md")).map((name) => join(source, name));
const below = folders.flatMap((name) => [...markdownBelow(join(source, name))]);

export const pages = [...top, ...below].map((path) => new Page(path));

export const blocks = pages.flatMap((page) => page.blocks);

export function page(name) {
  return pages.find((one) => one.name === name) ?? (() => { throw new Error(`no page ${name}`); })();
}

export function read(path) {
  return readFileSync(join(source, path), "utf8");
}

export function where(block) {
  return `${block.page.name}:${block.line}`;
}

/* What stands in backticks. */
export function quoted(text) {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, inner]) => inner);
}
