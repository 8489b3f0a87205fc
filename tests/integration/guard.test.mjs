/* guard.test.mjs - whom the admin member refuses: names pointed at us, pages of
 * other sites, wrong tokens, other users; and that no secret shows up anywhere.
 *
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, readFileSync, readdirSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { LAB } from "./client.mjs";
import { Scripts, Server, run } from "./harness.mjs";
import { Socket, cutAll, readResponse } from "./socket.mjs";

const OTHER = 65534; // no user of ours
/* Root, and of more than itself: a container's may be able to become nobody. */
const isRoot = process.getuid() === 0 && readFileSync("/proc/self/uid_map", "utf8").trim().split("\n").some((line) => {
  const [first, , count] = line.trim().split(/\s+/).map(Number);
  return OTHER >= first && OTHER < first + count;
});
const TOKEN = "tide-4711-secret";
const files = new Scripts({ token: `${TOKEN}  \nnot this line\n` });
let server;
before(async () => {
  server = await Server.start(LAB, {
    admin: "127.0.0.1:0",
    settings: { admin_token_file: files.path("token"), log: { level: "debug" }, config: { key: "hunter2" } },
  });
});
after(async () => {
  cutAll();
  await server?.stop();
  files.remove();
});

/* Over TCP, with any Host. */
function ask(path, method = "GET", headers = {}) {
  return new Promise((resolve, reject) => {
    const sent = request({ port: server.adminPort, host: "127.0.0.1", path, method, headers, agent: false }, (answer) => {
      let body = "";
      answer.setEncoding("utf8").on("data", (text) => (body += text));
      answer.on("end", () => resolve({ status: answer.statusCode, headers: answer.headers, body }));
    });
    sent.on("error", reject).end();
  });
}

const bearer = (token) => ({ authorization: `Bearer ${token}` });

describe("Host", () => {
  for (const host of [
    "attacker.example",
    "localhost.attacker.example",
    "127.0.0.1.attacker.example",
    "localhost.",
    "127.0.0.1.nip.io",
    "2130706433",
    "0x7f.0.0.1",
    "127.1",
    "0.0.0.0",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::1].attacker.example",
  ]) {
    test(`${host} is a name that somebody may have pointed here`, async () => {
      for (const [path, method] of [["/metrics", "GET"], ["/api/status", "GET"], ["/api/reload", "POST"], ["/nothing", "GET"]]) {
        const { status, body } = await ask(path, method, { host });
        assert.ok([400, 421].includes(status), `${method} ${path}: ${status}`);
        assert.doesNotMatch(body, /generation|tidewire_/);
      }
    });
  }

  test("none at all is refused, with HTTP/1.0, too", async () => {
    for (const version of ["1.0", "1.1"]) {
      const socket = await Socket.connect(server.adminPort);
      socket.write(`GET /api/status HTTP/${version}\r\n\r\n`);
      const { status } = await readResponse(socket);
      assert.ok([400, 421].includes(status), `${version}: ${status}`);
    }
  });

  test("the right token proves more than it", async () => {
    assert.equal((await ask("/api/status", "GET", { host: "tide.example", ...bearer(TOKEN) })).status, 200);
  });
});

describe("Origin", () => {
  test("of another site is refused whatever else is right", async () => {
    const host = `127.0.0.1:${server.adminPort}`;
    for (const origin of ["http://attacker.example", "null", "", `https://${host}`, `http://${host}.attacker.example`, "http://localhost:1", `http://${host}/`]) {
      for (const headers of [{}, bearer(TOKEN)]) {
        const { status } = await ask("/api/drain", "POST", { host, origin, ...headers });
        assert.equal(status, 403, origin);
      }
    }
    assert.equal((await ask("/ready", "GET", { host, origin: `http://${host}` })).status, 200);
  });

  test("no answer lets another site's page read it", async () => {
    for (const headers of [{}, { origin: "http://attacker.example" }]) {
      const answer = await ask("/api/status", "GET", headers);
      assert.equal(answer.headers["access-control-allow-origin"], undefined);
      assert.equal(answer.headers["x-content-type-options"], "nosniff");
    }
    assert.notEqual((await ask("/api/reload", "OPTIONS", { origin: "http://attacker.example", "access-control-request-method": "POST" })).status, 200);
  });
});

describe("the token", () => {
  test("comes from the first line of a file, without blanks behind it", async () => {
    assert.equal((await ask("/api/reload", "POST", bearer(TOKEN))).status, 200);
  });

  test("must be the whole of it", async () => {
    const near = [...TOKEN].map((letter, i) => TOKEN.slice(0, i) + (letter === "x" ? "y" : "x") + TOKEN.slice(i + 1));
    for (const token of ["", " ", TOKEN.slice(1), TOKEN.slice(0, -1), `${TOKEN}x`, `${TOKEN} `.repeat(2).trim(), TOKEN.toUpperCase(), ...near]) {
      assert.equal((await ask("/api/reload", "POST", bearer(token))).status, 403, token);
    }
  });

  test("is nothing to have in an address or a cookie", async () => {
    for (const [path, headers] of [[`/api/reload?token=${TOKEN}`, {}], ["/api/reload", { cookie: `token=${TOKEN}` }], ["/api/reload", { authorization: `Basic ${TOKEN}` }]]) {
      assert.equal((await ask(path, "POST", headers)).status, 403);
    }
  });
});

describe("the Unix socket", () => {
  /* What a process of another user is answered with: a status, or an errno. */
  function asOther() {
    const script = `require("http").request({ socketPath: ${JSON.stringify(join(server.runtimeDir, "admin.sock"))}, path: "/api/status",
      headers: { host: "localhost" } }, (answer) => { console.log(answer.statusCode); answer.resume(); })
      .on("error", (error) => console.log(error.code)).end()`;
    const { stdout, stderr } = spawnSync(process.execPath, ["-e", script], { uid: OTHER, gid: OTHER, cwd: "/", encoding: "utf8" });
    return stdout.trim() || stderr;
  }

  test("cannot be reached by other users", { skip: !isRoot && "needs root" }, () => {
    assert.equal(asOther(), "EACCES");
  });

  test("asks who it is, should its folder ever be open", { skip: !isRoot && "needs root" }, () => {
    const socket = join(server.runtimeDir, "admin.sock");
    chmodSync(server.runtimeDir, 0o755);
    chmodSync(socket, 0o666);
    try {
      assert.equal(asOther(), "403");
    } finally {
      chmodSync(server.runtimeDir, 0o700);
      chmodSync(socket, 0o600);
    }
  });
});

describe("secrets", () => {
  const kin = () => {
    const parents = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
    return parents.filter((pid) => {
      try {
        return Number(pid) === server.pid || readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").pop().split(" ")[1] === String(server.pid);
      } catch {
        return false; // it ended meanwhile
      }
    });
  };

  test("are in no answer, no log line and no list of processes", async () => {
    const seen = [];
    for (const headers of [bearer(TOKEN), bearer("wrong-9999"), {}]) {
      for (const [path, method] of [["/metrics", "GET"], ["/api/status", "GET"], ["/api/reload", "POST"], [`/nothing?password=hunter2`, "GET"]]) {
        seen.push((await ask(path, method, headers)).body);
      }
    }
    seen.push((await run(["status", "--runtime-dir", server.runtimeDir])).stdout);
    seen.push((await run(["status", "--json", "--runtime-dir", server.runtimeDir])).stdout);
    const processes = kin();
    assert.ok(processes.length >= 3, `${processes}`);
    seen.push(...processes.map((pid) => readFileSync(`/proc/${pid}/cmdline`, "utf8")), server.log);
    assert.match(server.log, /level=debug/);
    for (const text of seen) {
      assert.doesNotMatch(text, /tide-4711|wrong-9999|hunter2/);
    }
  });

  test("are in no complaint about a configuration", async () => {
    const bad = new Scripts({ "main.lua": "return {}" });
    for (const text of [
      'return { admin_token = "hunter2 }',
      'return { admin_token "hunter2" }',
      "return { admin_token = 'hunter2' 'hunter3' }",
      "return { admin_token = [[hunter2]] [[hunter3]] }",
      "return { admin_token = 4711hunter2 }",
      'return { admin_tokn = "hunter2" }',
      'return { admin_token = { "hunter2" } }',
      'return { workers = "hunter2" }',
    ]) {
      bad.write("config.lua", text);
      const { code, stderr } = await run(["run", bad.path(), "--config", bad.path("config.lua")]);
      assert.equal(code, 2, text);
      assert.match(stderr, /config\.lua:/);
      assert.doesNotMatch(stderr, /hunter/, text);
    }
    bad.remove();
  });

  test("a token file that has none keeps the server from starting", async () => {
    const bad = new Scripts({ "main.lua": "return {}", empty: "\nhunter2\n" });
    for (const [name, why] of [["empty", /first line is empty/], ["absent", /No such file/]]) {
      const { code, stderr } = await run(["run", bad.path()], { env: { ...process.env, TIDEWIRE_ADMIN_TOKEN_FILE: bad.path(name) } });
      assert.equal(code, 2);
      assert.match(stderr, why);
      assert.doesNotMatch(stderr, /hunter/);
    }
    const env = { ...process.env, TIDEWIRE_ADMIN_TOKEN_FILE: files.path("token"), TIDEWIRE_ADMIN_TOKEN: "hunter2" };
    const both = await run(["run", bad.path()], { env });
    assert.equal(both.code, 2);
    assert.doesNotMatch(both.stderr, /hunter|4711/);
    bad.remove();
  });
});
