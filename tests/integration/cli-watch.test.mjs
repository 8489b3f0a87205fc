/* cli-watch.test.mjs - with --watch what is saved is taken up, whichever way an
 * editor saves, and what does not load changes nothing.
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { readFileSync, renameSync, rmSync } from "node:fs";
import { afterEach, describe, test } from "node:test";
import { Client, dropAll } from "./client.mjs";
import { isAlive, run, Scripts, Server, until } from "./harness.mjs";

let server, scripts;
afterEach(async () => {
  dropAll();
  await server?.stop();
  scripts?.remove();
  server = scripts = undefined;
});

const APP = (word) => `local tw = require "tidewire"
return tw.app {
    on_message = function(conn)
        conn:send(${word})
    end,
}
`;

async function watch(files, options = {}) {
  scripts = new Scripts(files);
  server = await Server.start(scripts.path(), { workers: 2, ...options, args: ["--watch", ...(options.args ?? [])] });
  return Client.open(server);
}

async function answers(client, expected) {
  await until(`the answer ${expected}`, async () => {
    client.send("?");
    return (await client.next()) === expected;
  });
}

/* As editors do that want no half a file on the disk. */
function replace(name, text) {
  scripts.write(`${name}.new`, text);
  renameSync(scripts.path(`${name}.new`), scripts.path(name));
}

describe("--watch", () => {
  test("takes up a script that is written, and one that is renamed over it", async () => {
    const client = await watch({ "main.lua": APP('"one"') });
    await answers(client, "one");
    scripts.write("main.lua", APP('"two"'));
    await answers(client, "two");
    replace("main.lua", APP('"three"'));
    await answers(client, "three");
    await server.logged(/msg="scripts changed" \S*.*file=\S*main\.lua/);
  });

  test("takes up a module, and one in a folder that is new", async () => {
    const main = (module) => `local word = require "${module}"\n${APP("word")}`;
    const client = await watch({ "main.lua": main("lib.word"), "lib/word.lua": 'return "one"\n' });
    await answers(client, "one");
    scripts.write("lib/word.lua", 'return "two"\n');
    await answers(client, "two");
    scripts.write("other/word.lua", 'return "three"\n');
    scripts.write("main.lua", main("other.word"));
    await answers(client, "three");
    scripts.write("other/word.lua", 'return "four"\n');
    await answers(client, "four");
  });

  test("shows what is wrong with its line, and goes on with what ran", async () => {
    const client = await watch({ "main.lua": APP('"one"') });
    scripts.write("main.lua", APP('"two" .. )'));
    const [line] = await server.logged(/^.*the scripts do not load.*$/m);
    assert.match(line, /level=error/);
    assert.match(line, /error="unexpected symbol near '\)'"/);
    assert.match(line, /file=\S*main\.lua line=4 code="conn:send\(\\"two\\" \.\. \)\)"/);
    await answers(client, "one");
    const since = server.log.length;
    scripts.write("main.lua", APP('"two"'));
    await answers(client, "two");
    assert.doesNotMatch(server.log.slice(since), /do not load/);
  });

  test("tells that a file is gone, and waits for it", async () => {
    const client = await watch({ "main.lua": `local word = require "word"\n${APP("word")}`, "word.lua": 'return "one"\n' });
    rmSync(scripts.path("word.lua"));
    await server.logged(/the scripts do not load.*module 'word' not found/);
    await answers(client, "one");
    scripts.write("word.lua", 'return "two"\n');
    await answers(client, "two");
  });

  test("does not mind other files", async () => {
    const client = await watch({ "main.lua": APP('"one"') });
    for (const name of ["page.html", ".#main.lua", "main.lua~", ".git/x.lua"]) {
      scripts.write(name, "x");
    }
    scripts.write("main.lua", APP('"two"'));
    await answers(client, "two");
    assert.equal((await server.status()).generation, 2);
  });

  test("leaves nobody behind, even when the master is killed", async () => {
    await watch({ "main.lua": APP('"one"') });
    const children = readFileSync(`/proc/${server.pid}/task/${server.pid}/children`, "utf8").trim().split(" ");
    const watcher = Number(children.find((pid) => readFileSync(`/proc/${pid}/comm`, "utf8") === "tidewire:watch\n"));
    assert.ok(watcher > 0 && isAlive(watcher));
    await server.kill();
    server = undefined;
    await until("the watcher is gone", () => !isAlive(watcher));
  });

  test("is for run alone", async () => {
    scripts = new Scripts({ "main.lua": APP('"one"') });
    const { code, stderr } = await run(["check", "--watch", scripts.path()]);
    assert.equal(code, 2);
    assert.match(stderr, /unknown option '--watch'/);
  });
});
