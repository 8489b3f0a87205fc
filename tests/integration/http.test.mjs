/* HTTP handlers in Lua. SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { LAB } from "./client.mjs";
import { Server } from "./harness.mjs";

let server;
before(async () => {
  server = await Server.start(LAB);
});
after(() => server?.stop());

const run = (code, { port } = server) => fetch(`http://127.0.0.1:${port}/run`, { method: "POST", body: code });

for (const [code, status, body, type] of [
  ["return 200", 200, "", null],
  ["return 204", 204, "", null],
  ["return 200, 'text'", 200, "text", "text/plain; charset=utf-8"],
  ["return 200, { a = 1 }", 200, '{"a":1}', "application/json"],
  ["return 200, tw.json.array {}", 200, "[]", "application/json"],
  ["return 200, true", 200, "true", "application/json"],
  ["return 200, tw.json.raw '[1, 2]'", 200, "[1, 2]", "application/json"],
  ["return 404, 'no'", 404, "no", "text/plain; charset=utf-8"],
  ["return 200, '<p>', { ['Content-Type'] = 'text/html' }", 200, "<p>", "text/html"],
  ["tw.sleep(0.01) return 202, 'later'", 202, "later", "text/plain; charset=utf-8"],
  ["local a, b = tw.all(function() tw.sleep(0.01) return 1 end, function() return 2 end) return 200, { a, b }", 200, "[1,2]", "application/json"],
]) {
  test(`'${code}' is answered with ${status} and '${body}'`, async () => {
    const response = await run(code);
    assert.equal(response.status, status);
    assert.equal(await response.text(), body);
    assert.equal(response.headers.get("content-type"), type);
  });
}
for (const code of ["return", "return 'text'", "return 99", "return 600", "return 101", "return 200, print", "error 'secret'", "return 200, '', { ['Bad Name'] = 'x' }", "return 200, '', { X = 'a\\r\\nY: b' }", "return 200, { f = print }"]) {
  test(`'${code}' is answered with 500, and the log says why`, async () => {
    const since = server.log.length;
    const response = await run(code);
    assert.equal(response.status, 500);
    assert.doesNotMatch(await response.text(), /secret/);
    await server.logged(/level=error.*call=handler/, since);
  });
}
test("a handler of the wrong body limit is not reached", async () => {
  const response = await run("x".repeat(2 << 20)).catch(() => ({ status: 413 }));
  assert.equal(response.status, 413);
});
test("a handler that waits too long gets errors from its calls", async (t) => {
  const short = await Server.start(LAB, { settings: { lua: { wait: 0.2 } } });
  t.after(() => short.stop());
  assert.equal(await (await run("local ok, err = tw.sleep(600) return 200, err.code", short)).text(), "timeout");
});
test("a handler may publish", async () => {
  assert.equal(await (await run("return 200, tostring(tw.publish('c', 'x'))")).text(), "true");
});
