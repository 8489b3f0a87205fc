/* privileges.test.mjs - a server that root starts: what it becomes, and which
 * scripts it refuses. Most of it takes root to try.
 *
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { chmodSync, chownSync, existsSync, lstatSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync } from "node:fs";
import { request } from "node:http";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { after, describe, test } from "node:test";
import { Scripts, Server, run, source, until } from "./harness.mjs";

const OTHER = 65534; // nobody
/* Root, and of more than itself: a container's may be able to become nobody. */
const isRoot = process.getuid() === 0 && readFileSync("/proc/self/uid_map", "utf8").trim().split("\n").some((line) => {
  const [first, , count] = line.trim().split(/\s+/).map(Number);
  return OTHER >= first && OTHER < first + count;
});
const HELLO = `local tw = require "tidewire"
local words = require "words"
return tw.routes { ["GET /hello"] = function() return 200, words.hello end }
`;
const WORDS = 'return { hello = "hello" }';

/* Somebody who may replace the program is trusted; such a tree cannot show that
 * others are not. */
function isOpenTree() {
  for (let path = process.env.TIDEWIRE_BIN; path !== "/"; path = dirname(path)) {
    const { mode, uid } = statSync(path);
    if (uid === OTHER || ((mode & 0o022) !== 0 && (mode & 0o1000) === 0)) {
      return true;
    }
  }
  return false;
}

/* Scripts that every user may read, and the Lua library with them: the sources
 * may be in a home folder. */
function open(files = { "main.lua": HELLO, "words.lua": WORDS }) {
  const scripts = new Scripts(files);
  scripts.copy(join(source, "lua/tidewire"), "library/tidewire");
  chmodSync(scripts.folder, 0o755);
  return scripts;
}

/* What it dropped cannot be traced, by a leak checker neither. */
const env = { ASAN_OPTIONS: `${process.env.ASAN_OPTIONS ?? ""}:detect_leaks=0` };

/* Not with fetch: it will not go to some of the low ports. */
function hello({ port }) {
  return new Promise((resolve, reject) => {
    const sent = request({ port, host: "127.0.0.1", path: "/hello", agent: false }, (answer) => {
      let body = "";
      answer.setEncoding("utf8").on("data", (text) => (body += text));
      answer.on("end", () => resolve(body));
    });
    sent.on("error", reject).end();
  });
}

function facts(pid) {
  const text = readFileSync(`/proc/${pid}/status`, "utf8");
  return Object.fromEntries(text.trim().split("\n").map((line) => line.split(/:\s*/)));
}

function freePort() {
  return new Promise((resolve) => {
    const listener = createServer().listen(0, "127.0.0.1", () => {
      const { port } = listener.address();
      listener.close(() => resolve(port));
    });
  });
}

describe("user", { skip: !isRoot && "needs root" }, () => {
  let server, scripts;
  after(() => scripts.remove());

  test("is what master, workers and admin member are, for good", async () => {
    scripts = open();
    server = await Server.start(scripts.path(), { workers: 2, admin: "127.0.0.1:0", settings: { user: "nobody", lua: { dir: scripts.path("library") } }, env });
    const { workers, admin_pid, master_pid } = await server.status();
    for (const pid of [master_pid, admin_pid, ...workers.map((worker) => worker.pid)]) {
      const { Uid, Gid, Groups, CapPrm, CapEff, CapAmb, NoNewPrivs } = facts(pid);
      assert.equal(Uid, Array(4).fill(OTHER).join("\t"));
      assert.equal(Gid, Array(4).fill(OTHER).join("\t"));
      assert.equal(Groups.trim(), String(OTHER));
      for (const set of [CapPrm, CapEff, CapAmb]) {
        assert.match(set, /^0+$/);
      }
      assert.equal(NoNewPrivs, "1");
    }
  });

  test("owns the runtime folder and all that is in it", () => {
    for (const [name, mode] of [[".", 0o700], ["admin.sock", 0o600], ["bus.0", 0o600], ["master.pid", 0o600], ["gen-1.snapshot", 0o600]]) {
      const facts = lstatSync(join(server.runtimeDir, name));
      assert.deepEqual([facts.uid, facts.gid, facts.mode & 0o777], [OTHER, OTHER, mode], name);
    }
  });

  test("serves, reloads and replaces a dead worker as before", async () => {
    assert.equal(await hello(server), "hello");
    scripts.write("words.lua", 'return { hello = "again" }');
    assert.equal((await server.reload()).status, 200);
    assert.equal(await hello(server), "again");
    const { pid } = await server.worker(0);
    process.kill(pid, "SIGKILL");
    await server.replaced(0, pid);
    assert.equal(facts((await server.worker(0)).pid).Uid.split("\t")[0], String(OTHER));
  });

  test("leaves nothing behind at the end", async () => {
    await server.stop();
    assert.equal(existsSync(join(server.runtimeDir, "admin.sock")), false);
  });

  test("may have another group, and both be numbers", async () => {
    server = await Server.start(scripts.path(), { settings: { lua: { dir: scripts.path("library") } }, args: ["--user", "54321", "--group", "54322"], env });
    const { Uid, Gid, Groups } = facts(server.pid);
    assert.deepEqual([Uid.split("\t")[2], Gid.split("\t")[2], Groups.trim()], ["54321", "54322", "54322"]);
    assert.equal(await hello(server), "again");
    await server.stop();
  });

  test("does not keep it from a port that takes root", async (t) => {
    const first = Number(readFileSync("/proc/sys/net/ipv4/ip_unprivileged_port_start", "utf8"));
    if (first === 0) {
      t.skip("here no port takes root");
      return;
    }
    const port = await until("a free low port", () => tryLowPort(first));
    server = await Server.start(scripts.path(), {
      settings: { user: "nobody", lua: { dir: scripts.path("library") } },
      args: ["--listen", `127.0.0.1:${port}`],
      env,
    });
    assert.equal(await hello({ port }), "again");
    await server.stop();
  });

  function tryLowPort(first) {
    const port = 1 + Math.floor(Math.random() * (Math.min(first, 1024) - 1));
    return new Promise((resolve) => {
      const listener = createServer().on("error", () => resolve(0));
      listener.listen(port, "127.0.0.1", () => listener.close(() => resolve(port)));
    });
  }

  for (const [user, why] of [
    ["nobody-of-that-name", /no user 'nobody-of-that-name'/],
    ["root", /root and its group are nobody to change to/],
    ["0", /root and its group are nobody to change to/],
    ["54321", /no user '54321'; a group would do/],
    ["4294967295", /no user '4294967295'/],
  ]) {
    test(`${user} is none`, async () => {
      const { code, stderr } = await run(["run", scripts.path(), "--listen", `127.0.0.1:${await freePort()}`, "--admin", "off", "--user", user]);
      assert.equal(code, 1);
      assert.match(stderr, why);
    });
  }
});

/* 192.0.2.0/24 is nobody's: the start fails, but not before it is looked at. */
test("root is warned of being reached by strangers", { skip: process.getuid() !== 0 && "needs root" }, async () => {
  const scripts = new Scripts({ "main.lua": "return {}" });
  const args = ["run", scripts.path(), "--admin", "off", "--listen", "127.0.0.1:0"];
  for (const [more, warned] of [
    [["--listen", "unix:/nonexistent/socket"], false],
    [["--listen", "192.0.2.1:0", "--user", "nobody"], false],
    [["--listen", "192.0.2.1:0"], true],
  ]) {
    const { code, stderr } = await run([...args, ...more]);
    assert.equal(code, 1, stderr);
    assert.equal(/a public server runs as root/.test(stderr), warned, stderr);
  }
  scripts.remove();
});

describe("user, for one who is not root", () => {
  test("is himself or nobody", { skip: process.getuid() === 0 && "is root" }, async () => {
    const scripts = new Scripts({ "main.lua": "return {}" });
    const { code, stderr } = await run(["run", scripts.path(), "--listen", "127.0.0.1:0", "--admin", "off", "--user", "root"]);
    assert.equal(code, 1);
    assert.match(stderr, /only root can become another user/);
    scripts.remove();
  });

  test("a group alone is no identity", async () => {
    const scripts = new Scripts({ "main.lua": "return {}" });
    const { code, stderr } = await run(["run", scripts.path(), "--listen", "127.0.0.1:0", "--admin", "off", "--group", "nogroup"]);
    assert.equal(code, 1);
    assert.match(stderr, /a group needs a user/);
    scripts.remove();
  });
});

describe("what root refuses to run", { skip: (!isRoot && "needs root") || (isOpenTree() && "others may replace the program") }, () => {
  const scripts = new Scripts();
  after(() => scripts.remove());

  /* Fresh files for each, changed by `spoil`, checked. */
  async function refused(spoil, why, args = []) {
    rmSync(scripts.path("app"), { recursive: true, force: true });
    for (const [name, text] of [["main.lua", HELLO], ["words.lua", WORDS], ["config.lua", "return {}"]]) {
      scripts.write(`app/${name}`, text);
    }
    chmodSync(scripts.path("app"), 0o755);
    spoil(scripts.path("app"));
    const { code, stderr, stdout } = await run(["check", scripts.path("app/main.lua"), ...args]);
    if (why === null) {
      assert.deepEqual([code, stderr], [0, ""], stdout);
    } else {
      assert.notEqual(code, 0);
      assert.match(stderr, why);
    }
  }

  test("nothing that is root's alone", () => refused(() => {}, null));
  test("a script that everybody may write to", () => refused((app) => chmodSync(join(app, "main.lua"), 0o646), /main\.lua: refused: everybody may write to .*main\.lua/));
  test("a script that a group may write to", () => refused((app) => chmodSync(join(app, "main.lua"), 0o664), /refused: group 0 may write to .*main\.lua/));
  test("a script of another user's", () => refused((app) => chownSync(join(app, "main.lua"), OTHER, 0), /refused: .*main\.lua belongs to user 65534/));
  test("a required module", () => refused((app) => chmodSync(join(app, "words.lua"), 0o666), /module 'words': cannot read .*refused: everybody may write to .*words\.lua/));
  test("a folder that everybody may write to", () => refused((app) => chmodSync(app, 0o777), /refused: everybody may write to the folder .*app/));
  test("a folder of another user's", () => refused((app) => chownSync(app, OTHER, OTHER), /refused: the folder .* belongs to user 65534/));
  test("a folder further up", () => refused((app) => chmodSync(dirname(app), 0o777), /refused: everybody may write to the folder/).finally(() => chmodSync(scripts.folder, 0o700)));
  test("not a folder with the sticky bit, as /tmp", () => refused((app) => chmodSync(app, 0o1777), null));
  test("a configuration that others may write to", () => {
    return refused((app) => chmodSync(join(app, "config.lua"), 0o666), /config\.lua: refused: everybody may write to/, ["--config", scripts.path("app/config.lua")]);
  });
  test("a link that others may turn elsewhere", () => {
    return refused((app) => {
      mkdirSync(join(app, "links"));
      symlinkSync(join(app, "config.lua"), join(app, "links/config.lua"));
      chmodSync(join(app, "links"), 0o777);
    }, /refused: everybody may write to the folder .*links/, ["--config", scripts.path("app/links/config.lua")]);
  });
  test("what a link leads to", () => {
    return refused((app) => {
      rmSync(join(app, "words.lua"));
      scripts.write("app/far/words.lua", WORDS);
      symlinkSync(join(app, "far/words.lua"), join(app, "words.lua"));
      chmodSync(join(app, "far"), 0o777);
    }, /refused: everybody may write to the folder .*far/);
  });

  test("by a reload neither: the scripts that run go on", async () => {
    const own = open();
    const server = await Server.start(own.path(), { settings: { user: "nobody", lua: { dir: own.path("library") } }, env });
    own.write("words.lua", 'return { hello = "planted" }');
    chmodSync(own.path("words.lua"), 0o666);
    const { status, body } = await server.reload();
    assert.equal(status, 422);
    assert.match(JSON.parse(body).error.message, /refused: everybody may write to .*words\.lua/);
    assert.equal(await hello(server), "hello");
    chmodSync(own.path("words.lua"), 0o644);
    assert.equal((await server.reload()).status, 200);
    assert.equal(await hello(server), "planted");
    await server.stop();
    own.remove();
  });
});
