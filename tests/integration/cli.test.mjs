/* cli.test.mjs - the program as one meets it at a shell.
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { once } from "node:events";
import { after, before, describe, test } from "node:test";
import { run, Scripts, Server, source } from "./harness.mjs";

const ECHO = `${source}/examples/echo/app.lua`;

/* The program must not see what the tests' own shell has set. */
const environment = (extra = {}) => {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith("TIDEWIRE_"));
  return { env: { ...Object.fromEntries(kept), ...extra } };
};

/* Runs the program and expects its end to be so. */
async function expect(args, { code, stdout = /^$/, stderr = /^$/, env = {} }) {
  const end = await run(args, environment(env));
  assert.match(end.stderr, stderr);
  assert.match(end.stdout, stdout);
  assert.equal(end.code, code, `${args.join(" ")}: ${end.stderr}`);
  return end;
}

describe("help and version", () => {
  test("--version prints one line", () => expect(["--version"], { code: 0, stdout: /^tidewire \d+\.\d+\.\d+\n$/ }));

  test("--help names every command", async () => {
    const { stdout } = await expect(["--help"], { code: 0, stdout: /^Tidewire / });
    for (const command of ["run", "check", "new", "reload", "drain", "status", "top", "console", "profile", "bench"]) {
      assert.match(stdout, new RegExp(`^  ${command}\\b`, "m"));
    }
  });

  test("each command has a help of its own, said in three ways", async () => {
    for (const command of ["run", "check", "reload", "drain", "status", "top", "console", "profile"]) {
      const usage = new RegExp(`^tidewire ${command} - .*\\n\\nUsage: tidewire `);
      const { stdout } = await expect([command, "--help"], { code: 0, stdout: usage });
      assert.equal((await run(["help", command])).stdout, stdout);
      assert.equal((await run([command, "-h"])).stdout, stdout);
    }
  });

  test("--help=markdown lists every option for the reference", () =>
    expect(["run", "--help=markdown"], { code: 0, stdout: /^\| key \| flag \|.*\n(\|.*\|\n)*\| `limits\.max_head` \|/ }));

  test("without arguments the help goes to stderr, with status 2", () =>
    expect([], { code: 2, stderr: /^Tidewire .*\n\nUsage: / }));
});

describe("wrong usage", () => {
  test("an unknown option names the nearest", () =>
    expect(["run", ECHO, "--lisen", "x"], { code: 2, stderr: /unknown option '--lisen'; did you mean '--listen'\?/ }));

  test("an unknown command names the nearest", () =>
    expect(["statsu"], { code: 2, stderr: /unknown command 'statsu'; did you mean 'status'\?/ }));

  test("a word like no command is told to be neither", () =>
    expect(["xyzzyxyzzy"], { code: 2, stderr: /'xyzzyxyzzy' is neither a command nor a script/ }));

  test("commands of a later version say so", async () => {
    for (const command of ["doctor"]) {
      await expect([command], { code: 2, stderr: new RegExp(`${command} is not available in this version`) });
    }
  });

  test("options of a later version say so", async () => {
    await expect([ECHO, "--redis", "x"], { code: 2, stderr: /redis\.main: a URL begins with redis:/ });
  });

  test("a bad value names the option", () =>
    expect([ECHO, "--workers", "many"], { code: 2, stderr: /--workers 'many': must be a whole number/ }));

  test("a bad variable names the variable", () =>
    expect([ECHO], { code: 2, stderr: /TIDEWIRE_WORKERS '0': must be 1 to 1024/, env: { TIDEWIRE_WORKERS: "0" } }));

  test("run without a script asks for one", () => expect(["run"], { code: 2, stderr: /which script\?/ }));
});

describe("configuration files", () => {
  let scripts;
  before(() => {
    scripts = new Scripts({
      "unknown.lua": "return { limits = { max_conections = 10 } }",
      "type.lua": "return { workers = 'two' }",
      "syntax.lua": "return {\n  workers = = 2,\n}",
      "good.lua": "return { script = 'app.lua', log = { level = 'error' } }",
      "app.lua": "local tw = require 'tidewire'\nreturn tw.app {}",
    });
  });
  after(() => scripts.remove());

  const refuses = (file, message) => expect(["run", ECHO, "--config", scripts.path(file)], { code: 2, stderr: message });

  test("an unknown key names the nearest, and where it stands", () =>
    refuses("unknown.lua", /unknown\.lua: limits\.max_conections: unknown; did you mean 'max_connections'\?/));

  test("a value of the wrong type is told with its key", () =>
    refuses("type.lua", /type\.lua: workers: must be a whole number/));

  test("a syntax error is told with its line", () => refuses("syntax.lua", /syntax\.lua:2: /));

  test("a file that is not there is told", () => refuses("none.lua", /none\.lua: No such file/));

  test("the file can name the script, beside itself", () =>
    expect(["check", "--config", scripts.path("good.lua")], { code: 0, stdout: /app\.lua: ok, / }));

  test("TIDEWIRE_CONFIG names the file, too", () =>
    expect(["check"], { code: 0, stdout: /app\.lua: ok, /, env: { TIDEWIRE_CONFIG: scripts.path("good.lua") } }));

  test("the demo's own configuration is right", () =>
    expect(["check", `${source}/scripts/main.lua`, "--config", `${source}/scripts/config.lua`], {
      code: 0,
      stdout: /main\.lua: ok, /,
    }));
});

describe("check", () => {
  let scripts;
  before(() => {
    scripts = new Scripts({
      "syntax.lua": "local tw = require 'tidewire'\nlocal x = = 3\n",
      "hook.lua": "local tw = require 'tidewire'\nreturn tw.app { on_mesage = function() end }",
      "global.lua": "local tw = require 'tidewire'\n\nfoo = 3\nreturn tw.app {}",
    });
  });
  after(() => scripts.remove());

  test("a good script is ok", () => expect(["check", ECHO], { code: 0, stdout: /app\.lua: ok, 1 route/ }));

  test("a syntax error is told with file and line", () =>
    expect(["check", scripts.path("syntax.lua")], { code: 1, stderr: /syntax\.lua:2: / }));

  test("an unknown hook is told with file and line", () =>
    expect(["check", scripts.path("hook.lua")], { code: 1, stderr: /hook\.lua:2: .*'on_mesage'.*'on_message'/ }));

  test("an accidental global is told with file and line", () =>
    expect(["check", scripts.path("global.lua")], { code: 1, stderr: /global\.lua:3: .*'foo'/ }));

  test("a script that is not there is told", () =>
    expect(["check", scripts.path("none.lua")], { code: 1, stderr: /none\.lua: No such file/ }));
});

describe("a server that cannot start", () => {
  test("tells why the script does not load, and ends with status 1", async () => {
    const scripts = new Scripts({ "main.lua": "local tw = require 'tidewire'\nreturn tw.app { on_open = 3 }" });
    await expect([scripts.path(), "--listen", "127.0.0.1:0", "--admin", "off", "--workers", "2"], {
      code: 1,
      stderr: /main\.lua:2: /,
    });
    scripts.remove();
  });

  test("names the address that is in use, and ends with status 1", async () => {
    const holder = createServer().listen(0, "127.0.0.1");
    await once(holder, "listening");
    const address = `127.0.0.1:${holder.address().port}`;
    await expect([ECHO, "--listen", address, "--admin", "off"], { code: 1, stderr: new RegExp(`${address}: Address already in use`) });
    holder.close();
  });
});

describe("a running server", () => {
  let scripts, server;
  const app = (name) => `local tw = require "tidewire"
    return tw.routes { ["GET /name"] = function() return 200, "${name}" end, ["/ws"] = tw.app {} }`;
  const name = async () => (await fetch(`http://127.0.0.1:${server.port}/name`)).text();
  const ask = (command, expected, ...more) => expect([command, "--runtime-dir", server.runtimeDir, ...more], expected);

  before(async () => {
    scripts = new Scripts({ "main.lua": app("one") });
    server = await Server.start(scripts.path(), { workers: 2, admin: "127.0.0.1:0" });
  });
  after(async () => {
    await server.kill().catch(() => {});
    scripts.remove();
  });

  test("says what to open, in one line", () =>
    assert.match(
      server.log,
      /Tidewire \S+ on http:\/\/127\.0\.0\.1:\d+\/ \(2 workers\), admin http:\/\/127\.0\.0\.1:\d+\/ - reload: kill -HUP \d+/,
    ));

  test("writes logs that are all of one form", () => {
    /* The last piece may be the beginning of a line. */
    for (const line of server.log.split("\n").slice(0, -1)) {
      assert.match(line, /^time=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z level=(debug|info|warn|error) msg=/);
    }
  });

  test("status shows a row for each worker", async () => {
    const { stdout } = await ask("status", { code: 0, stdout: /^Tidewire \S+, up for .*generation 1/ });
    assert.match(stdout, /^0 +ready +\d+ +1 /m);
    assert.match(stdout, /^1 +ready +\d+ +1 /m);
  });

  test("status --json is the server's own answer", async () => {
    const { stdout } = await ask("status", { code: 0, stdout: /^\{/ }, "--json");
    assert.equal(JSON.parse(stdout).workers.length, 2);
  });

  test("reload prints the new generation, and its code answers", async () => {
    assert.equal(await name(), "one");
    scripts.write("main.lua", app("two"));
    await ask("reload", { code: 0, stdout: /^generation 2\n$/ });
    assert.equal(await name(), "two");
  });

  test("reload of a broken script tells file and line, and the old code goes on", async () => {
    scripts.write("main.lua", "\nreturn return");
    await ask("reload", { code: 1, stderr: /main\.lua:2: / });
    assert.equal(await name(), "two");
  });

  test("a second server cannot have its runtime folder", () =>
    expect([ECHO, "--listen", "127.0.0.1:0", "--admin", "off", "--runtime-dir", server.runtimeDir], {
      code: 1,
      stderr: /another server uses it/,
    }));

  test("drain ends it with status 0", async () => {
    await ask("drain", { code: 0, stdout: /^draining\n$/ });
    assert.deepEqual(await server.gone, { code: 0, signal: null });
  });

  test("afterwards nobody answers", () => ask("status", { code: 1, stderr: /tidewire: .+/ }));
});

describe("signals and flags", () => {
  test("SIGTERM ends a server with status 0", async () => {
    const server = await Server.start(ECHO);
    await server.stop();
  });

  test("SIGHUP reloads", async () => {
    const server = await Server.start(ECHO);
    server.signal("SIGHUP");
    await server.logged(/reload committed.* generation=2/);
    await server.stop();
  });

  test("--log-format json makes every line an object", async () => {
    const bad = await run([ECHO, "--listen", "nowhere", "--admin", "off", "--log-format", "json"], environment());
    assert.equal(bad.code, 1);
    const lines = bad.stderr.trimEnd().split("\n").map((line) => JSON.parse(line));
    assert.ok(lines.some((line) => line.level === "error" && line.error.includes("nowhere")), bad.stderr);
  });
});
