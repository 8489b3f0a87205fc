/* docs.test.mjs - what the pages say is so: links lead somewhere, code loads,
 * commands exist, and the reference lists what there is and nothing else.
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { run, Scripts, source } from "./harness.mjs";
import { blocks, page, pages, quoted, read, where } from "./pages.mjs";

const sorted = (names) => [...new Set(names)].sort();

const PLAIN = 'return require("tidewire").app {}\n';

/* What is added to a fragment so that it is a whole script. */
const WRAPPED = {
  statements: (text) => `local tw = require "tidewire"\nlocal function _(conn, msg, room, text)\n${text}\nend\nreturn tw.app { on_stop = _ }\n`,
  test: (text) => `local t = require "tidewire.test"\nt.it("holds", function()\n    local s = t.server "main.lua"\n${text}\nend)\n`,
  fields: (text) => `local tw = require "tidewire"\nreturn tw.app {\n${text}}\n`,
};

describe("links", () => {
  for (const one of pages) {
    test(`of ${one.name} lead to files and headings that are there`, () => {
      for (const [, target] of one.prose.matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^[a-z]+:/.test(target)) {
          continue;
        }
        const [file, anchor] = target.split("#");
        const path = file ? resolve(dirname(one.path), file) : one.path;
        assert.ok(existsSync(path), `${target} is not there`);
        const other = pages.find(({ path: known }) => known === path);
        if (anchor) {
          assert.ok(other?.headings.some((heading) => heading.anchor === anchor), `${target}: no such heading`);
        }
      }
    });
  }

  test("lead to every page below docs/", () => {
    const linked = new Set(pages.flatMap((one) =>
      [...one.prose.matchAll(/\]\(([^)#\s]+\.md)/g)].map(([, target]) => resolve(dirname(one.path), target))));
    const lonely = pages.filter((one) => one.name.startsWith("docs/") && !linked.has(one.path));
    assert.deepEqual(lonely.map((one) => one.name), []);
  });
});

describe("blocks of Lua", () => {
  let scripts;
  before(() => {
    scripts = new Scripts({ "www/index.html": "" });
  });
  after(() => scripts.remove());

  async function load(block, text, args = []) {
    scripts.write("main.lua", text);
    const { code, stderr } = await run(["check", ...args, scripts.path()], { cwd: scripts.folder });
    assert.equal(code, 0, `${where(block)}: ${stderr}`);
  }

  /* Tests are run, beside what else the page has up to there. */
  async function runTests(block, text) {
    const above = block.page.blocks.slice(0, block.page.blocks.indexOf(block));
    scripts.write("main.lua", PLAIN);
    above.filter(({ mark, value, language }) => mark === "file" && language === "lua").forEach((one) => scripts.write(one.value, one.text));
    scripts.write("block_test.lua", text);
    const { code, stdout, stderr } = await run(["test", "block_test.lua"], { cwd: scripts.folder });
    assert.equal(code, 0, `${where(block)}: ${stdout}${stderr}`);
  }

  async function check(block) {
    if (block.mark === "fragment" && block.value === "test") {
      return runTests(block, WRAPPED.test(block.text));
    }
    if (block.mark === "file" && block.value.endsWith("_test.lua")) {
      return runTests(block, block.text);
    }
    const config = block.page.blocks.find(({ mark, value }) => mark === "file" && value === "config.lua");
    scripts.write("config.lua", config?.text ?? "return {}\n");
    if (block.mark === "fragment") {
      await load(block, WRAPPED[block.value ?? "statements"](block.text));
    } else if (block.mark === "config" || block.value === "config.lua") {
      scripts.write("config.lua", block.text);
      await load(block, PLAIN, ["--config", scripts.path("config.lua")]);
    } else {
      assert.match(block.text, /return tw\.(app|routes)/, `${where(block)}: neither a script nor marked as a fragment`);
      await load(block, block.text, ["--config", scripts.path("config.lua")]);
    }
  }

  for (const block of blocks.filter(({ language }) => language === "lua")) {
    test(`${where(block)} loads`, () => check(block));
  }

  test("the complaints that debug-a-script.md shows are those of check", async () => {
    const lines = page("docs/how-to/debug-a-script.md").blocks.find(({ text }) => text.startsWith("main.lua:3: unknown hook")).text;
    const wrong = [
      'local tw = require "tidewire"\nreturn tw.app {\n    on_mesage = function() end,\n}\n',
      'local tw = require "tidewire"\ncount = 1\nreturn tw.app {}\n',
      'local tw = require "tidewire"\nlocal d = tw.rooms {}\nreturn tw.app {}\n',
    ];
    let said = "";
    for (const text of wrong) {
      scripts.write("main.lua", text);
      said += (await run(["check", "main.lua"], { cwd: scripts.folder })).stderr;
    }
    assert.equal(said, lines);
  });
});

describe("other blocks", () => {
  /* Every word behind `tidewire` that begins with "--", command by command. */
  const options = new Map();
  async function optionsOf(words) {
    const key = words.join(" ");
    if (!options.has(key)) {
      const { stdout, code } = await run([...words, "--help"]);
      assert.equal(code, 0, `no command ${key}`);
      options.set(key, new Set(stdout.match(/--[a-z][a-z-]*/g)));
    }
    return options.get(key);
  }

  async function checkCommand(line, place) {
    const words = line.replace(/\s+#.*$/, "").split(/\s+/);
    const known = ["run", "check", "test", "new", "reload", "drain", "status", "top", "console", "profile"];
    let command = known.includes(words[0]) ? [words[0]] : ["run"];
    command = words[0] === "bench" ? words.slice(0, 2) : command;
    if (words[0] === "help" || words[0].startsWith("--")) {
      assert.equal((await run(words)).code, 0, `${place}: tidewire ${line}`);
      return;
    }
    const allowed = await optionsOf(command);
    for (const [option] of line.matchAll(/--[a-z][a-z-]*/g)) {
      assert.ok(allowed.has(option), `${place}: tidewire ${command.join(" ")} has no ${option}`);
    }
  }

  for (const block of blocks.filter(({ language }) => ["sh", "ini"].includes(language))) {
    test(`${where(block)} has only commands and options that exist`, async () => {
      const text = block.text.replaceAll("\\\n", " ");
      for (const [, rest] of text.matchAll(/^(?:[A-Za-z]+=)?(?:\S*\/)?tidewire (.*)$/gm)) {
        await checkCommand(rest, where(block));
      }
      for (const [, target] of text.matchAll(/^make ([a-z-]+)/gm)) {
        assert.match(read("Makefile"), new RegExp(`^${target}:`, "m"), `${where(block)}: no make ${target}`);
      }
      if (block.language === "sh") {
        const { status, stderr } = spawnSync("sh", ["-n"], { input: block.text, encoding: "utf8" });
        assert.equal(status, 0, stderr);
      }
    });
  }

  for (const block of blocks.filter(({ language }) => language === "json")) {
    test(`${where(block)} is JSON`, () => JSON.parse(block.text));
  }

  const hasPromtool = spawnSync("promtool", ["--version"]).status === 0;
  for (const block of blocks.filter(({ language }) => language === "yaml")) {
    test(`${where(block)} is taken by promtool`, { skip: !hasPromtool }, () => {
      const what = block.text.includes("groups:") ? "rules" : "config";
      const scripts = new Scripts({ "file.yml": block.text });
      const { status, stdout, stderr } = spawnSync("promtool", ["check", what, scripts.path("file.yml")], { encoding: "utf8" });
      scripts.remove();
      assert.equal(status, 0, stdout + stderr);
    });
  }
});

describe("configuration", () => {
  test("the table is the program's own", async () => {
    const { stdout } = await run(["help", "markdown"]);
    assert.ok(page("docs/reference/configuration.md").prose.includes(stdout), "run `tidewire help markdown` and put its table there");
  });

  test("keys that pages name exist", async () => {
    const { stdout } = await run(["help", "markdown"]);
    const keys = new Set(quoted(stdout));
    const groups = /^(limits|lua|log|hang)\.[a-z_]+$/;
    const files = /\.(lua|md|c|h)$/;
    for (const one of pages) {
      const named = quoted(one.prose).filter((text) => groups.test(text) && !files.test(text));
      assert.deepEqual(named.filter((key) => !keys.has(key)), [], one.name);
    }
  });
});

describe("metrics", () => {
  const header = read("core/include/tidewire/metrics.h").replaceAll("\\\n", " ");
  const list = (macro) => [...header.split(`#define ${macro}(X)`)[1].split("\n\n")[0].matchAll(/X\(\w+,\s*"(\w+)",\s*"([^"]*)"\)/g)];
  const counted = [
    ...list("TW_COUNTERS").map(([, name, help]) => [`tidewire_${name}_total`, help]),
    ...list("TW_GAUGES").map(([, name, help]) => [`tidewire_${name}`, help]),
  ];
  const own = [...(read("core/server/metrics.c") + read("core/server/metrics_host.c")).matchAll(/head\(w, "(\w+)"/g)].map(([, name]) => `tidewire_${name}`);
  const reference = page("docs/reference/metrics.md");
  const documented = reference.rows().map(([cell]) => quoted(cell)[0]).filter(Boolean);

  test("the reference lists every metric once and no other", () => {
    assert.deepEqual([...documented].sort(), sorted([...counted.map(([name]) => name), ...own]));
  });

  test("the reference says of each what /metrics says", () => {
    const said = new Map(reference.rows().map((cells) => [quoted(cells[0])[0], cells.at(-1)]));
    counted.forEach(([name, help]) => assert.equal(said.get(name), help));
  });

  test("pages name only metrics that exist", () => {
    const known = new Set(documented);
    for (const one of pages) {
      const text = one.prose + one.blocks.map((block) => block.text).join("");
      const named = [...text.matchAll(/\btidewire_[a-z_]+/g)].map(([name]) => name.replace(/_bucket$/, ""));
      assert.deepEqual(named.filter((name) => !known.has(name)), [], one.name);
    }
  });
});

describe("names for scripts", () => {
  /* static const twl_name NAME[] = {{"open", false}, {"reserved", true}, ...} */
  const tables = readdirSync(`${source}/lua/bridge`).filter((name) => name.endsWith(".c")).flatMap((name) => {
    const text = read(`lua/bridge/${name}`);
    return [...text.matchAll(/static const twl_name (\w+)\[\] = \{(.*?)\};/gs)].map(([, table, body]) => {
      const entries = [...body.matchAll(/\{"(\w+)",\s*(true|false)\}/g)].map(([, word, reserved]) => ({ word, isReserved: reserved === "true" }));
      return { file: name, table, entries };
    });
  });
  const words = (file, table, isReserved = false) =>
    tables.find((one) => one.file === file && one.table === table).entries.filter((entry) => entry.isReserved === isReserved).map(({ word }) => word);
  const api = page("docs/reference/lua-api.md");
  const hooks = page("docs/reference/hooks.md");

  /* Documented where a heading, or the first cell of a row, begins with it; and
   * tw.log.*, which stand in a sentence. */
  const entries = [
    ...api.headings.map(({ text }) => text),
    ...api.rows().map(([cell]) => quoted(cell)[0] ?? ""),
    ...quoted(api.prose).filter((text) => /^tw\.log\.\w+\(/.test(text)),
  ];
  const documented = (owner) => sorted(entries.map((text) => new RegExp(`^${owner}[.:]([a-z0-9_.]+)`).exec(text)?.[1]).filter(Boolean));
  const deeper = { config: ["get"], file: ["read"], node: ["id"], log: ["debug", "info", "warn", "error"], json: ["encode", "decode", "raw", "array", "null"], utf8: ["valid", "len", "sub"], http: ["get", "post", "request"], metric: ["counter", "gauge", "histogram"], jwt: ["verify"], crypto: ["sha256", "hmac", "random", "equal", "to_hex", "from_hex", "to_base64", "from_base64", "to_base64url", "from_base64url"] };

  test("tw: the reference lists what there is", () => {
    const expected = words("module.c", "names").flatMap((name) => deeper[name]?.map((field) => `${name}.${field}`) ?? [name]);
    assert.deepEqual(documented("tw"), sorted(expected));
  });

  test("tw: what there is in a running script", async () => {
    const scripts = new Scripts({
      "main.lua": `local tw = require "tidewire"\nlocal names = {}\nfor name, value in pairs(tw) do
        if type(value) == "table" then for field in pairs(value) do names[#names + 1] = name .. "." .. field end
        else names[#names + 1] = name end\nend\nprint(table.concat(names, " "))\nreturn tw.app {}\n`,
    });
    const { stderr } = await run(["check", "--log-format", "logfmt", scripts.path()]);
    scripts.remove();
    assert.deepEqual(sorted(/msg="([^"]*)"/.exec(stderr)[1].split(" ")), documented("tw"));
  });

  const objects = { conn: ["conn.c", "fields"], msg: ["msg.c", "fields"], req: ["request.c", "fields"], channel: ["channel.c", "fields"], user: ["user.c", "fields"], remote: ["remote.c", "fields"], sub: ["listen.c", "fields"], timer: ["timer.c", "fields"], task: ["task.c", "fields"], dict: ["dict.c", "fields"], counter: ["metric_counter.c", "fields"], gauge: ["metric_gauge.c", "fields"], histogram: ["metric_histogram.c", "fields"] };
  for (const [owner, [file, table]] of Object.entries(objects)) {
    test(`${owner}: the reference lists what there is`, () => {
      const inProse = { channel: "name", user: "id" }[owner];
      const extra = quoted(api.prose).includes(`${owner}.${inProse}`) ? [inProse] : [];
      assert.deepEqual(sorted([...documented(owner), ...extra]), sorted(words(file, table)));
    });
  }

  test("every option stands in the reference", () => {
    const said = new Set([...quoted(api.prose), ...quoted(hooks.prose)].flatMap((text) => text.match(/[a-z_0-9]+/g) ?? []));
    const options = tables.filter(({ table }) => !/^names$|fields$/.test(table) || table === "accept_fields");
    const missing = options.flatMap(({ file, table, entries: all }) => all.filter(({ word }) => !said.has(word)).map(({ word }) => `${file}, ${table}: ${word}`));
    assert.deepEqual(missing, []);
  });

  test("hooks and settings of an app: their tables list what there is", () => {
    const first = hooks.rows().map(([cell]) => quoted(cell)[0] ?? "");
    const named = first.map((text) => /^([a-z_]+)(?:\(.*\))?$/.exec(text)?.[1]).filter((name) => name && name !== "true" && name !== "nil");
    assert.deepEqual(sorted(named), sorted([...words("app.c", "hooks"), ...words("app.c", "options")]));
  });

  test("reserved names are told to be reserved", () => {
    const told = new Set(quoted(api.prose.split("Reserved for later versions")[1]).flatMap((text) => text.match(/[a-z_0-9]+/g)));
    const reserved = tables.flatMap(({ entries: all }) => all.filter(({ isReserved }) => isReserved).map(({ word }) => word));
    assert.deepEqual(sorted(reserved).filter((word) => !told.has(word)), []);
  });

  test("error codes are those that scripts can get", () => {
    const codes = [...read("core/include/tidewire/errors.h").matchAll(/X\(\w+, -\d+, "(\w+)"/g)].map(([, code]) => code);
    const rows = api.rows().map(([cell, second]) => [quoted(cell)[0], second]).slice(0, 12);
    const told = rows.map(([code]) => code).filter((code) => codes.includes(code));
    assert.deepEqual(sorted(told), sorted(codes.filter((code) => !["nomem", "io"].includes(code))));
  });
});

test("c-api.md lists every public function and no other", () => {
  const headers = ["core/include/tidewire", "lua/bridge/include/tidewire"].flatMap((folder) => readdirSync(`${source}/${folder}`).map((name) => read(`${folder}/${name}`)));
  const text = headers.join("\n").replace(/\/\*.*?\*\//gs, "");
  const declared = [...text.matchAll(/\b(tw_\w+)\(/g)].map(([, name]) => name);
  const listed = page("docs/reference/c-api.md").rows().filter((cells) => cells.length === 2).flatMap(([, cell]) => quoted(cell)).filter((name) => /^tw_\w+$/.test(name));
  assert.deepEqual(sorted(listed), sorted(declared));
});

test("both READMEs have the same headings and the same code", () => {
  const [english, chinese] = [page("README.md"), page("README.zh-CN.md")];
  assert.deepEqual(chinese.headings.map(({ level }) => level), english.headings.map(({ level }) => level));
  assert.deepEqual(chinese.blocks.map(({ text }) => text), english.blocks.map(({ text }) => text));
  const links = (one) => [...one.prose.matchAll(/\]\((?!README)([^)]+)\)/g)].map(([, target]) => target);
  assert.deepEqual(links(chinese), links(english));
});
