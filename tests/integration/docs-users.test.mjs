/* docs-users.test.mjs - the application of "Reach a user" does what the page
 * says. SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { Client, dropAll, Refused } from "./client.mjs";
import { Scripts, Server } from "./harness.mjs";
import { page } from "./pages.mjs";

const later = []; // what a test opened

afterEach(async () => {
  dropAll();
  for (const undo of later.splice(0).reverse()) {
    await undo();
  }
});

const json = (client) => client.next().then(JSON.parse);

async function serve() {
  const { text } = page("docs/how-to/reach-a-user.md").blocks.find(({ mark }) => mark === "file");
  const scripts = new Scripts({ "main.lua": text });
  later.push(() => scripts.remove());
  const server = await Server.start(scripts.path("main.lua"), { workers: 2 });
  later.push(() => server.stop());
  const headers = { authorization: "Bearer secret" };
  const ask = (method, path, body, more = {}) => fetch(`http://127.0.0.1:${server.port}${path}`, { method, body, headers: { ...headers, ...more } });
  return { server, ask };
}

/* A device of ada's that has heard how far its channel is. */
async function device(server, more = "") {
  const client = await Client.open(server, `/device?user=ada&device=phone${more}`);
  return { client, welcome: await json(client) };
}

async function until(what, check) {
  for (;;) {
    const found = await check();
    if (found) {
      return found;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test("what is sent reaches every device, and later those that were away", async () => {
  const { server, ask } = await serve();
  const phone = await device(server);
  const laptop = await device(server);
  const sent = await ask("POST", "/notify/ada", "tea", { "idempotency-key": "1" });
  assert.equal(sent.status, 202);
  const place = await sent.json();
  await phone.client.expect("tea");
  await laptop.client.expect("tea");

  const again = await ask("POST", "/notify/ada", "tea", { "idempotency-key": "1" });
  assert.deepEqual(await again.json(), place);
  await phone.client.close();
  await ask("POST", "/notify/ada", "more tea");
  await laptop.client.expect("more tea");
  const back = await device(server, `&epoch=${place.epoch}&offset=${place.offset}`);
  assert.equal(back.welcome.recovered, true);
  await back.client.expect("more tea");
});

test("devices are listed, and logged out everywhere", async () => {
  const { server, ask } = await serve();
  await assert.rejects(Client.open(server, "/device"), (error) => error instanceof Refused && error.status === 401);
  const phone = await device(server);
  const laptop = await device(server);
  const count = (n) => async () => (await (await ask("GET", "/devices/ada")).json()).length === n;
  await until("both", count(2));
  await until("one person", async () => {
    const team = await (await ask("GET", "/team")).json();
    return team.online === 1 && team.names.join() === "ada";
  });
  assert.equal((await ask("POST", "/logout/ada")).status, 202);
  assert.equal((await phone.client.closed).code, 4401);
  assert.equal((await laptop.client.closed).code, 4401);
  await until("none", count(0));
});

test("the oldest device makes room", async () => {
  const { server } = await serve();
  const first = await device(server);
  for (let i = 0; i < 3; i++) {
    await device(server);
  }
  assert.equal((await first.client.closed).code, 3006);
});
