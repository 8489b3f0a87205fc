/* editor.test.mjs - what editors are told of the API is what the bridge
 * registers: lua/types/tidewire.lua for LuaLS and lua/types/luacheck.lua, each
 * compared in both directions. Names are read out of the sources and of a
 * running script, so that a new one is missed here, wherever it was added.
 *
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { describe, test } from "node:test";
import { run, Scripts, source } from "./harness.mjs";
import { read } from "./pages.mjs";

const sorted = (names) => [...new Set(names)].sort();

/* What a script prints when it is loaded, a word a line. */
async function printed(statements) {
  const scripts = new Scripts({
    "main.lua": `local tw = require "tidewire"\nlocal words = {}\nlocal function add(word) words[#words + 1] = word end
${statements}\nprint(table.concat(words, " "))\nreturn tw.app {}\n`,
  });
  const { stderr } = await run(["check", "--log-format", "logfmt", scripts.path()]);
  scripts.remove();
  const words = /msg="([^"]*)"/.exec(stderr);
  assert.ok(words, stderr);
  return words[1].split(" ");
}

/* ---- what the types say --------------------------------------------------- */

const types = read("lua/types/tidewire.lua");

/* Classes with their own fields and the methods of the local behind them. */
const classes = new Map();
{
  let current = null;
  for (const line of types.split("\n")) {
    const head = /^---@class ([\w.]+)(?:: ([\w.]+))?/.exec(line);
    const field = /^---@field (\w+)/.exec(line);
    const local = /^local (\w+) = \{\}/.exec(line);
    const method = /^function (\w+):(\w+)\(/.exec(line);
    if (head) {
      current = { name: head[1], parent: head[2], fields: [], methods: [], local: null };
      classes.set(current.name, current);
    } else if (field && current) {
      current.fields.push(field[1]);
    } else if (local && current) {
      current.local = local[1];
    } else if (method) {
      [...classes.values()].find((one) => one.local === method[1])?.methods.push(method[2]);
    }
    if (!line.startsWith("---")) {
      current = null;
    }
  }
}

/* Its fields with those that it inherits. */
function fieldsOf(name) {
  const one = classes.get(name);
  return one ? [...one.fields, ...fieldsOf(one.parent)] : [];
}

/* { a: T?, b: U? } in a type: its names. */
const inline = [...types.matchAll(/\{ (\w+: [^{}]*) \}/g)].map(([, body]) => [...body.matchAll(/(?:^|, )(\w+):/g)].map(([, name]) => name));
/* "a"|"b"|... in a type: its words. */
const choices = [...types.matchAll(/("[\w-]+"(?:\|"[\w-]+")+)/g)].map(([text]) => [...text.matchAll(/"([\w-]+)"/g)].map(([, word]) => word));

/* ---- what the bridge registers -------------------------------------------- */

const files = readdirSync(`${source}/lua/bridge`).filter((name) => name.endsWith(".c")).map((name) => ({ name, text: read(`lua/bridge/${name}`) }));

/* static const twl_name NAME[] = {{"open", false}, {"reserved", true}, ...} */
const tables = files.flatMap(({ name, text }) =>
  [...text.matchAll(/static const twl_name (\w+)\[\] = \{(.*?)\};/gs)].map(([, table, body]) => ({
    file: name,
    table,
    words: [...body.matchAll(/\{"(\w+)",\s*false\}/g)].map(([, word]) => word),
  })));
const table = (file, name) => tables.find((one) => one.file === file && one.table === name).words;

/* Every handle has a file that defines its metatable: with a table of the
 * fields that it answers, methods among them, or of methods alone. */
const handles = [...read("lua/bridge/handle.c").matchAll(/\[(TWL_HANDLE_\w+)\] = "([\w.]+)"/g)].map(([, type, name]) => {
  const file = files.find(({ name: one, text }) => one !== "module.c" && one !== "handle.c" && new RegExp(`twl_handle_define(_methods)?\\(L,\\s*${type}\\b`).test(text));
  const fields = file && tables.find((one) => one.file === file.name && one.table === "fields");
  const methods = file ? [...file.text.matchAll(/static const luaL_Reg methods\[\] = \{(.*?)\};/gs)].flatMap(([, body]) => [...body.matchAll(/\{"(\w+)"/g)].map(([, word]) => word)) : [];
  return { name, words: sorted([...(fields?.words ?? []), ...methods]) };
});

describe("types", () => {
  test("tw: every function and value is declared, and no other", async () => {
    const isFunction = (names) => names.filter((name) => name.startsWith("function:")).length;
    const there = await printed(`
for name, value in pairs(tw) do
    if type(value) == "table" then
        for field, inner in pairs(value) do add((type(inner) == "function" and "function:" or "value:") .. name .. "." .. field) end
    else add((type(value) == "function" and "function:" or "value:") .. name) end
end`);
    const functions = [...types.matchAll(/^function tw\.([\w.]+)\(/gm)].map(([, name]) => `function:${name}`);
    const values = [...types.matchAll(/^tw\.([\w.]+) = (?!\{\})/gm)].map(([, name]) => `value:${name}`);
    /* A table of values alone is declared by its class. */
    const facts = [...types.matchAll(/---@class ([\w.]+)\n((?:---.*\n)*)tw\.(\w+) = \{\}/g)].flatMap(([, name, , owner]) => classes.get(name).fields.map((field) => `value:${owner}.${field}`));
    assert.ok(isFunction(there) > 20);
    assert.deepEqual(sorted([...functions, ...values, ...facts]), sorted(there));
  });

  for (const { name, words } of handles) {
    test(`${name}: its fields and methods are declared, and no others`, () => {
      const one = classes.get(name);
      assert.ok(one, `no ---@class ${name}`);
      assert.deepEqual(sorted([...fieldsOf(name), ...one.methods]), words);
    });
  }

  test("hooks and settings of an app are declared, and no others", () =>
    assert.deepEqual(sorted(classes.get("tw.AppConfig").fields), sorted([...table("app.c", "hooks"), ...table("app.c", "options")])));

  /* Whose words they are does not matter: some declaration has just them, or
   * two classes of which a value is one or the other. */
  const either = [...types.matchAll(/(tw\.[\w.]+)\|(tw\.[\w.]+)/g)].map(([, one, other]) => [...fieldsOf(one), ...fieldsOf(other)]);
  const declared = [...[...classes.keys()].map(fieldsOf), ...either, ...inline, ...choices].map((words) => sorted(words).join(" "));
  const lists = tables.filter(({ table: name, file }) => !["fields", "names", "hooks"].includes(name) && !(file === "app.c" && name === "options"));

  for (const { file, table: name, words } of lists) {
    test(`${file}, ${name}: a type has just these words`, () =>
      assert.ok(declared.includes(sorted(words).join(" ")), `no class, table or choice of lua/types/tidewire.lua has exactly ${words.join(", ")}`));
  }

  test("tables of options that functions take are those of the bridge", () => {
    const known = lists.map(({ words }) => sorted(words).join(" "));
    const taken = [...types.matchAll(/^---@param options (tw\.[\w.]+)/gm)].map(([, name]) => name);
    const wrong = sorted(taken).filter((name) => !known.includes(sorted(fieldsOf(name)).join(" ")));
    assert.ok(taken.length > 0);
    assert.deepEqual(wrong, []);
  });

  test("what is named is declared", () => {
    const aliases = [...types.matchAll(/^---@alias ([\w.]+)/gm)].map(([, name]) => name);
    const named = [...types.matchAll(/^---@(?:param|return|field|class|type|alias).*$/gm)]
      .flatMap(([line]) => [...line.replace(/"[^"]*"/g, "").matchAll(/(?<![\w.])tw\.[A-Z]\w*|(?<![\w.])tw\.json\.Raw/g)].map(([name]) => name));
    assert.deepEqual(sorted(named).filter((name) => !classes.has(name) && !aliases.includes(name)), []);
  });

  test("are Lua", () => assert.equal(spawnSync("luajit", ["-b", `${source}/lua/types/tidewire.lua`, "-"], { stdio: "ignore" }).status, 0));
});

/* What a test file gets, by asking in one: the library itself, and the methods
 * behind the metatables of a server and a client. */
describe("types of tests", () => {
  const declarations = read("lua/types/test.lua");
  const declared = (local) => sorted([...declarations.matchAll(new RegExp(`^(?:function )?${local}[.:](\\w+)`, "gm"))].map(([, name]) => name));
  const page = read("docs/reference/testing.md");
  let there;

  async function names() {
    if (!there) {
      const library = read("lua/tidewire/test/main.lua").match(/local t = \{\n(.*?)\n {4}\}/s)[1];
      const methods = (file, owner) => [...read(`lua/tidewire/test/${file}.lua`).matchAll(new RegExp(`^function ${owner}:([a-z]\\w*)`, "gm"))].map(([, name]) => name);
      there = {
        t: sorted([...library.matchAll(/^ +(\w+) =/gm)].map(([, name]) => name)),
        Server: sorted(methods("server", "Server")),
        Client: sorted(methods("client", "Client")),
      };
    }
    return there;
  }

  for (const [local, prefix] of [["t", "t."], ["Server", "s:"], ["Client", "c:"]]) {
    test(`${local}: what is declared is there, and the reference tells of it`, async () => {
      const own = (await names())[local];
      assert.ok(own.length > 8);
      assert.deepEqual(declared(local), own);
      assert.deepEqual(own.filter((name) => !page.includes(`\`${prefix}${name}`)), []);
    });
  }

  test("options are those that are taken", () => {
    const fields = (name) => sorted([...declarations.match(new RegExp(`---@class ${name.replace(".", "\\.")}\n((?:---@field .*\n)+)`))[1].matchAll(/@field (\w+)/g)].map(([, field]) => field));
    const list = (file, name) => sorted([...read(`lua/tidewire/test/${file}.lua`).match(new RegExp(`${name} = \\{(.*?)\\}`, "s"))[1].matchAll(/"(\w+)"/g)].map(([, word]) => word));
    assert.deepEqual(fields("test.ServerOptions"), list("server", "OPTIONS"));
    assert.deepEqual(fields("test.ConnectOptions"), list("request", "CONNECT"));
    assert.deepEqual(fields("test.RequestOptions"), list("request", "PLAIN"));
    assert.deepEqual(fields("test.HttpStub"), list("stubs", "local HTTP"));
    assert.deepEqual(fields("test.RedisOptions"), list("stubs", "local REDIS"));
  });

  test("are Lua", () => assert.equal(spawnSync("luajit", ["-b", `${source}/lua/types/test.lua`, "-"], { stdio: "ignore" }).status, 0));
});

describe("set-up-an-editor.md", () => {
  const page = read("docs/how-to/set-up-an-editor.md");
  const block = (mark) => new RegExp(`<!-- ${mark} -->\n\`\`\`\\w+\n(.*?)\`\`\``, "s").exec(page)[1];

  test("names files that are installed", () => {
    for (const [, name] of page.matchAll(/\/usr\/local\/share\/tidewire\/lua\/(types\/[\w.]+\.lua)/g)) {
      assert.ok(existsSync(`${source}/lua/${name}`), name);
    }
    const settings = JSON.parse(block("luarc"));
    assert.equal(settings["runtime.version"], "LuaJIT");
    assert.equal(settings["workspace.library"].length, 1);
  });

  test("has a .luacheckrc that luacheck takes", (t) => {
    if (spawnSync("luacheck", ["--version"]).error) {
      t.skip("there is no luacheck");
      return;
    }
    const scripts = new Scripts({
      ".luacheckrc": block("luacheckrc").replace("/usr/local/share/tidewire", source),
      "main.lua": 'local tw = require "tidewire"\nreturn tw.app {}\n',
      "wrong.lua": "return jit\n",
    });
    const ends = ["main.lua", "wrong.lua"].map((name) => spawnSync("luacheck", ["-q", name], { cwd: scripts.folder }).status);
    scripts.remove();
    assert.deepEqual(ends, [0, 1]);
  });

  test("tells of lines that an editor can read", async () => {
    const scripts = new Scripts({ "main.lua": "return nowhere\n" });
    const { stderr } = await run(["check", "main.lua"], { cwd: scripts.folder });
    scripts.remove();
    assert.match(stderr, /^main\.lua:1: [^\n]+\n$/);
  });
});

describe("the standard for luacheck", () => {
  const file = `${source}/lua/types/luacheck.lua`;
  const LIST = `
local std = dofile(arg[1])
for name, one in pairs(std.read_globals) do
    print(name)
    for field in pairs(one.fields or {}) do print(name .. "." .. field) end
end`;
  const names = () => {
    const { stdout, stderr } = spawnSync("luajit", ["-", file], { input: LIST, encoding: "utf8" });
    assert.equal(stderr, "");
    return stdout.trim().split("\n");
  };

  test("has the globals that scripts have, and no others", async () => {
    /* All that plain LuaJIT has, and what is said here. */
    const plain = spawnSync("luajit", ["-e", "for name in pairs(_G) do print(name) end print 'newproxy ffi unpack'"], { encoding: "utf8" }).stdout.trim().split(/\s+/);
    const candidates = sorted([...plain, ...names().filter((name) => !name.includes("."))]);
    const there = await printed(`
for name in ("${candidates.join(" ")}"):gmatch "%S+" do
    local ok, value = pcall(function() return _G[name] end)
    if ok and value ~= nil then
        add(name)
        if type(value) == "table" and name ~= "_G" then
            for field in pairs(value) do add(name .. "." .. field) end
        end
    end
end`);
    assert.deepEqual(sorted(names()), sorted(there));
  });

  test("finds what scripts must not do", (t) => {
    if (spawnSync("luacheck", ["--version"]).error) {
      t.skip("there is no luacheck");
      return;
    }
    const scripts = new Scripts({
      ".luacheckrc": `stds.tidewire = dofile(${JSON.stringify(file)})\nstd = "tidewire"\n`,
      "good.lua": 'local tw = require "tidewire"\nreturn tw.app { on_start = function() print(os.time()) end }\n',
      "bad.lua": 'count = 1\nlocal f = io.open("x")\nos.exit(f)\n',
    });
    const luacheck = (name) => spawnSync("luacheck", ["--codes", "--no-color", name], { cwd: scripts.folder, encoding: "utf8" });
    const [good, bad] = [luacheck("good.lua"), luacheck("bad.lua")];
    scripts.remove();
    assert.equal(good.status, 0, good.stdout);
    for (const complaint of [/W111.*'count'/, /W113.*'io'/, /W143.*'exit'/]) {
      assert.match(bad.stdout, complaint);
    }
  });
});
