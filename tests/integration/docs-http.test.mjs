/* docs-http.test.mjs - the application of "Call a backend" does what the page
 * says. SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { afterEach, test } from "node:test";
import { Client, dropAll, Refused } from "./client.mjs";
import { Scripts, Server, until } from "./harness.mjs";
import { page } from "./pages.mjs";

const later = [];

afterEach(async () => {
  dropAll();
  for (const undo of later.splice(0).reverse()) {
    await undo();
  }
});

/* The shop: sessions "ada-..." are ada's, "rude" is not to be said. */
function shop(req, res) {
  let body = "";
  const url = new URL(req.url, "http://shop");
  const answer = (status, value) => res.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
  req.setEncoding("utf8").on("data", (text) => (body += text)).on("end", () => {
    if (url.pathname === "/price") {
      answer(url.searchParams.get("item") === "tea" ? 200 : 404, { price: 3 });
    } else if (req.headers.authorization !== "Bearer secret") {
      answer(403, {});
    } else if (url.pathname === "/session") {
      const [user, rest] = url.searchParams.get("id").split("-");
      answer(rest ? 200 : 404, { user });
    } else {
      answer(JSON.parse(body).text.includes("rude") ? 422 : 200, {});
    }
  });
}

async function serve() {
  const { text } = page("docs/how-to/call-a-backend.md").blocks.find(({ mark }) => mark === "file");
  const scripts = new Scripts({ "main.lua": text });
  later.push(() => scripts.remove());
  const backend = createServer({ keepAliveTimeout: 1 }, shop).listen(0, "127.0.0.1");
  await once(backend, "listening");
  const stop = () => new Promise((resolve) => {
    backend.closeAllConnections();
    backend.close(resolve);
  });
  later.push(stop);
  const server = await Server.start(scripts.path(), { settings: { config: { shop: `http://127.0.0.1:${backend.address().port}` } } });
  later.push(() => server.stop());
  return { server, stop };
}

test("sessions, prices and what may be said come from the backend", async () => {
  const { server } = await serve();
  const price = await fetch(`http://127.0.0.1:${server.port}/price/tea`);
  assert.deepEqual(await price.json(), { price: 3 });
  assert.equal((await fetch(`http://127.0.0.1:${server.port}/price/gold`)).status, 404);
  await assert.rejects(Client.open(server, "/chat?session=none"), (error) => error instanceof Refused && error.status === 401);
  const client = await Client.open(server, "/chat?session=ada-1");
  client.send("rude words");
  await client.expect('{"error":"not that, please"}');
  client.send("tea?");
  await client.expect("ada: tea?");
});

test("without the backend people talk on, and nobody gets in", async () => {
  const { server, stop } = await serve();
  const client = await Client.open(server, "/chat?session=ada-1");
  await stop();
  client.send("rude words");
  await client.expect("ada: rude words");
  await assert.rejects(Client.open(server, "/chat?session=ada-1"), (error) => error instanceof Refused && error.status === 503);
  await until("the shop is left alone", async () => {
    const answer = await fetch(`http://127.0.0.1:${server.port}/price/tea`);
    assert.equal(answer.status, 503);
    return (await answer.json()).error.includes("left alone");
  });
});
