/* jwt.test.mjs - tokens signed by the openssl program decide who gets in; keys
 * come from files that change while the server runs.
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createPublicKey } from "node:crypto";
import { once } from "node:events";
import { readFileSync, renameSync, rmSync, symlinkSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { after, afterEach, before, describe, test } from "node:test";
import { Client, dropAll, Refused } from "./client.mjs";
import { Scripts, Server, until } from "./harness.mjs";

const SECRET = "correct horse battery staple, again and again";

const scripts = new Scripts({
  "secret.txt": `${SECRET}\n`,
  "main.lua": `local tw = require "tidewire"
local keys = {
    rsa = { key = { file = "keys/rsa.pem" } },
    ec = { key = { file = "keys/ec.pem" } },
    secret = { secret = { file = "keys/secret.txt" } },
    both = { keys = { a = { file = "keys/rsa.pem" }, b = { file = "keys/ec.pem" } } },
    set = { jwks = { file = "keys/jwks.json" }, aud = "push", iss = "test", require = { "sub" } },
    turned = { key = { file = "keys/turned.pem" } },
    hidden = { key = { file = "private.pem" } },
    linked = { key = { file = "keys/linked.pem" } },
    wrong = { key = { file = "keys/wrong.pem" } },
    fetched = { jwks = { url = tw.config.get("keys") .. "/fetched.json" } },
    moved = { jwks = { url = tw.config.get("keys") .. "/moved.json" } },
    long = { jwks = { url = tw.config.get("keys") .. "/long.json" } },
    secure = { key = { url = tw.config.get("secure") .. "/key.pem" } },
    elsewhere = { key = { url = (tw.config.get("secure"):gsub("localhost", "127.0.0.1")) .. "/key.pem" } },
}
return tw.app {
    on_upgrade = function(req)
        local claims, err = tw.jwt.verify(req.query.token, keys[req.query.by])
        if not claims then
            return nil, { status = 401, reason = err.code .. " " .. err.reason .. ": " .. err.message }
        end
        return { user = claims.sub, info = claims }
    end,
    on_open = function(conn) conn:send({ user = conn.user, claims = conn.info }) end,
}
`,
});
const file = (name) => scripts.path(name);
const openssl = (...args) => execFileSync("openssl", args, { stdio: ["pipe", "pipe", "pipe"] });
const base64url = (data) => Buffer.from(data).toString("base64url");

/* ASN.1's two numbers, bare: SEQUENCE { INTEGER, INTEGER }. */
function bare(der) {
  const number = (at) => der.subarray(at + 2, at + 2 + der[at + 1]);
  const r = number(2);
  const s = number(2 + 2 + r.length);
  const fixed = (bytes) => Buffer.concat([Buffer.alloc(32), bytes]).subarray(-32);
  return Buffer.concat([fixed(r), fixed(s)]);
}

let serial = 0;

/* A token, signed by the openssl program. */
function signed(alg, claims, { key, kid } = {}) {
  const text = `${base64url(JSON.stringify({ alg, typ: "JWT", kid }))}.${base64url(JSON.stringify(claims))}`;
  const name = `signed-${serial++}`;
  scripts.write(name, text);
  const how = alg === "HS256" ? ["-mac", "HMAC", "-macopt", `hexkey:${Buffer.from(SECRET).toString("hex")}`] : ["-sign", file(key)];
  const signature = openssl("dgst", "-sha256", ...how, "-binary", file(name));
  return `${text}.${base64url(alg === "ES256" ? bare(signature) : signature)}`;
}

function makeKey(name, ...how) {
  openssl("genpkey", ...how, "-out", file(`${name}-private.pem`));
  openssl("pkey", "-in", file(`${name}-private.pem`), "-pubout", "-out", file(`${name}.pem`));
}

const makeEc = (name) => makeKey(name, "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256");

/* Copies into the granted folder, whole. */
function put(from, to) {
  scripts.write(`${to}.new`, readFileSync(file(from)));
  renameSync(file(`${to}.new`), file(to));
}

const jwk = (name, more) => ({ ...createPublicKey(readFileSync(file(name))).export({ format: "jwk" }), ...more });

/* Who publishes keys, over http and https: what it is asked for, and what it
 * answers: a status, a body, headers. */
let keysAnswer = () => [404, ""];
const asked = [];
const publishers = [];

async function publish(create, ...options) {
  const publisher = create(...options, (req, res) => {
    asked.push(req.url);
    const [status, body, headers = {}] = keysAnswer();
    res.writeHead(status, headers).end(body);
  });
  publishers.push(publisher);
  publisher.listen(0, "127.0.0.1");
  await once(publisher, "listening");
  return publisher.address().port;
}

describe("a token", () => {
  let server;
  const inAnHour = Math.floor(Date.now() / 1000) + 3600;

  before(async () => {
    makeKey("rsa", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048");
    makeEc("ec");
    makeEc("other");
    for (const name of ["rsa.pem", "ec.pem", "secret.txt"]) {
      put(name, `keys/${name}`);
    }
    put("ec-private.pem", "private.pem");
    put("ec.pem", "keys/turned.pem");
    symlinkSync(file("private.pem"), file("keys/linked.pem"));
    scripts.write("keys/wrong.pem", "no key at all\n");
    const set = { keys: [jwk("rsa.pem", { kid: "1", use: "sig" }), jwk("ec.pem", { kid: "2" }), { kty: "OKP", kid: "3" }] };
    scripts.write("keys/jwks.json", JSON.stringify(set, null, 2));
    const plain = await publish(http.createServer);
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost",
      "-addext", "subjectAltName=DNS:localhost", "-keyout", file("tls.key"), "-out", file("tls.pem"));
    const secure = await publish(https.createServer, { key: readFileSync(file("tls.key")), cert: readFileSync(file("tls.pem")) });
    const config = { keys: `http://127.0.0.1:${plain}`, secure: `https://localhost:${secure}` };
    server = await Server.start(scripts.path(), { settings: { files: ["keys/"], http: { ca: file("tls.pem") }, config } });
  });
  afterEach(dropAll);
  after(async () => {
    await server?.stop();
    publishers.forEach((one) => one.close());
    scripts.remove();
  });

  const enter = (by, token) => Client.open(server, `/?by=${by}${token === undefined ? "" : `&token=${encodeURIComponent(token)}`}`);
  const refused = (by, token, reason) =>
    assert.rejects(enter(by, token), (error) => {
      assert.ok(error instanceof Refused, String(error));
      assert.equal(error.status, 401);
      assert.match(error.body, reason);
      return true;
    });

  test("of each algorithm says who it is", async () => {
    const claims = { sub: "ann", exp: inAnHour, roles: ["a", "b"] };
    const tokens = {
      rsa: signed("RS256", claims, { key: "rsa-private.pem" }),
      ec: signed("ES256", claims, { key: "ec-private.pem" }),
      secret: signed("HS256", claims),
    };
    for (const [by, token] of Object.entries(tokens)) {
      const client = await enter(by, token);
      assert.deepEqual(JSON.parse(await client.next()), { user: "ann", claims });
      for (const other of Object.keys(tokens).filter((name) => name !== by)) {
        await refused(other, token, /denied algorithm: /);
      }
    }
  });

  test("of several keys is verified with the one it names", async () => {
    const named = signed("ES256", { sub: "bob" }, { key: "ec-private.pem", kid: "b" });
    assert.match(await (await enter("both", named)).next(), /bob/);
    await refused("both", signed("ES256", { sub: "bob" }, { key: "ec-private.pem", kid: "a" }), /denied algorithm: /);
    await refused("both", signed("ES256", { sub: "bob" }, { key: "ec-private.pem", kid: "c" }), /denied key: /);
    await refused("both", signed("ES256", { sub: "bob" }, { key: "other-private.pem", kid: "b" }), /denied signature: /);
  });

  test("of a set of keys must claim what the script demands", async () => {
    const claims = { sub: "eve", iss: "test", aud: ["other", "push"] };
    const from = (changed, kid = "1") => signed(kid === "1" ? "RS256" : "ES256", { ...claims, ...changed }, { key: kid === "1" ? "rsa-private.pem" : "ec-private.pem", kid });
    assert.match(await (await enter("set", from({}))).next(), /eve/);
    assert.match(await (await enter("set", from({}, "2"))).next(), /eve/);
    await refused("set", from({ iss: "tests" }), /denied issuer: /);
    await refused("set", from({ aud: "other" }), /denied audience: /);
    await refused("set", from({ aud: undefined }), /denied audience: /);
    await refused("set", from({ sub: undefined }), /denied claim: .*sub/);
    await refused("set", from({ exp: inAnHour - 7200 }), /denied expired: /);
    await refused("set", from({ nbf: inAnHour }), /denied early: /);
  });

  test("that is none, or unsigned, or signed with the public key's text, is refused", async () => {
    await refused("rsa", undefined, /invalid malformed: there is no token/);
    await refused("rsa", "x".repeat(100), /invalid malformed: /);
    await refused("rsa", `${base64url('{"alg":"none"}')}.${base64url('{"sub":"root"}')}.`, /denied algorithm: /);
    const text = `${base64url('{"alg":"HS256"}')}.${base64url('{"sub":"root"}')}`;
    scripts.write("confused", text);
    const key = readFileSync(file("rsa.pem")).toString("hex");
    const mac = openssl("dgst", "-sha256", "-mac", "HMAC", "-macopt", `hexkey:${key}`, "-binary", file("confused"));
    await refused("rsa", `${text}.${base64url(mac)}`, /denied algorithm: /);
  });

  test("is not verified without a granted file that holds a public key", async () => {
    const token = signed("ES256", { sub: "ann" }, { key: "ec-private.pem" });
    await refused("hidden", token, /unavailable key: private\.pem is not granted/);
    await refused("linked", token, /unavailable key: keys\/linked\.pem is not granted/);
    await refused("wrong", token, /unavailable key: keys\/wrong\.pem: the key is no PEM/);
  });

  test("is verified with another key soon after the file has changed", async () => {
    const [ours, theirs] = ["ec-private.pem", "other-private.pem"].map((key) => signed("ES256", { sub: "ann" }, { key }));
    assert.match(await (await enter("turned", ours)).next(), /ann/);
    await refused("turned", theirs, /denied signature: /);
    put("other.pem", "keys/turned.pem");
    await until("the new key is taken", () => enter("turned", theirs).then(() => true, () => false));
    await refused("turned", ours, /denied signature: /);
    rmSync(file("keys/turned.pem"));
    await until("the missing file is noticed", () => enter("turned", theirs).then(() => false, ({ body }) => /unavailable key: /.test(body)));
  });

  test("is verified with a set of keys that is fetched, once for all who wait", async () => {
    const token = (kid) => signed("ES256", { sub: "ann" }, { key: "ec-private.pem", kid });
    keysAnswer = () => [200, JSON.stringify({ keys: [jwk("ec.pem", { kid: "2" })] })];
    const before = asked.length;
    for (const client of await Promise.all([1, 2, 3].map(() => enter("fetched", token("2"))))) {
      assert.match(await client.next(), /ann/);
    }
    assert.deepEqual(asked.slice(before), ["/fetched.json"]);
    await refused("fetched", token("3"), /denied key: none of the keys/);
    await refused("fetched", signed("ES256", { sub: "ann" }, { key: "other-private.pem", kid: "2" }), /denied signature: /);
    assert.equal(asked.length, before + 1);
  });

  test("comes by TLS, from who can be trusted", async () => {
    keysAnswer = () => [200, readFileSync(file("ec.pem"))];
    const token = signed("ES256", { sub: "ann" }, { key: "ec-private.pem" });
    assert.match(await (await enter("secure", token)).next(), /ann/);
    await refused("elsewhere", token, /unavailable key: https:.*certificate/i);
  });

  test("is refused while there are no keys, and redirects lead nowhere", async () => {
    const token = signed("ES256", { sub: "ann" }, { key: "ec-private.pem", kid: "2" });
    keysAnswer = () => [302, "", { location: "/fetched.json" }];
    await refused("moved", token, /unavailable key: .*the answer is 302/);
    keysAnswer = () => [200, "x".repeat(300_000)];
    await refused("long", token, /unavailable key: /);
    keysAnswer = () => [200, '{"keys":[]}'];
    await refused("moved", token, /unavailable key: .*the answer is 302/);
  });

  test("leaves nothing of itself in the log", () => {
    assert.doesNotMatch(server.log, /eyJ|correct horse/);
  });
});
