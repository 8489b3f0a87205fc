/* example-whiteboard.test.mjs - the example whiteboard: who draws what, and that
 * it stays, whatever dies. SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import { Client, dropAll, Refused } from "./client.mjs";
import { assertShows } from "./examples.mjs";
import { run, Server, source, until } from "./harness.mjs";

const FOLDER = `${source}/examples/whiteboard`;

const later = [];

afterEach(async () => {
  dropAll();
  for (const undo of later.splice(0).reverse()) {
    await undo();
  }
});

async function serve(config = {}) {
  const server = await Server.start(`${FOLDER}/main.lua`, { workers: 2, settings: { files: ["www/board.html"], config } });
  later.push(() => server.stop());
  return server;
}

/* Somebody at a board. What comes is put away by its type. */
class Person {
  #queues = new Map();

  static async open(server, name, { board = "tea", since, key = `${name}-`.padEnd(24, "k") } = {}) {
    const person = new Person();
    person.client = await Client.open(server, `/ws/${board}`);
    person.say({ type: "hello", key, nick: name, color: 3, since });
    person.here = await person.hears("here");
    return person;
  }

  say(message) {
    this.client.send(JSON.stringify(message));
  }

  /* The next message of that type, which may have come before others. */
  async hears(type) {
    while (!this.#queues.get(type)?.length) {
      const message = JSON.parse(await this.client.next());
      this.#queues.set(message.type, [...(this.#queues.get(message.type) ?? []), message]);
    }
    return this.#queues.get(type).shift();
  }

  /* What has come of that type by now. */
  async heard(type) {
    await this.client.ping();
    while (this.client.pending > 0) {
      const message = JSON.parse(await this.client.next());
      this.#queues.set(message.type, [...(this.#queues.get(message.type) ?? []), message]);
    }
    return this.#queues.get(type)?.splice(0) ?? [];
  }

  /* All that is on the board, as it is told to who comes. */
  async board() {
    assert.ok(this.here.whole);
    const { list } = await this.hears("strokes");
    return list;
  }

  draw(id, points = [10, 20, 30, 40]) {
    this.say({ type: "stroke", id, color: 2, width: 40, points });
  }

  /* Draws it and waits for it; what others drew before is passed over. */
  async drawn(id, points) {
    this.draw(id, points);
    for (;;) {
      const stroke = await this.hears("stroke");
      if (stroke.id === id) {
        return stroke;
      }
    }
  }
}

/* What somebody finds who comes now. */
async function found(server, board = "tea") {
  const visitor = await until("somebody is let in", () => Person.open(server, "visitor", { board }).catch(() => null));
  const list = await visitor.board();
  visitor.client.drop();
  return list.map(({ id }) => id);
}

async function killAll(server) {
  for (const slot of [0, 1]) {
    const { pid } = await server.worker(slot);
    process.kill(pid, "SIGKILL");
    await server.replaced(slot, pid);
  }
}

describe("a stroke", () => {
  test("comes to all at the board, and to who comes later, in one order", async () => {
    const server = await serve();
    const [ada, bob, other] = [await Person.open(server, "ada"), await Person.open(server, "bob"), await Person.open(server, "eve", { board: "coffee" })];
    ada.draw("a1");
    bob.draw("b1");
    ada.draw("a2", [0, 0, 16000, 10000]);
    const seen = [await ada.hears("stroke"), await ada.hears("stroke"), await ada.hears("stroke")];
    assert.deepEqual([await bob.hears("stroke"), await bob.hears("stroke"), await bob.hears("stroke")], seen);
    const [last] = seen.filter(({ id }) => id === "a2");
    assert.deepEqual([last.by, last.color, last.width, last.points], [ada.here.me.id, 2, 40, [0, 0, 16000, 10000]]);
    const late = await Person.open(server, "late");
    const list = await late.board();
    assert.deepEqual(list.map(({ n }) => n), seen.map(({ n }) => n).sort((a, b) => a - b));
    assert.deepEqual(list.map(({ id }) => id).sort(), ["a1", "a2", "b1"]);
    assert.deepEqual(await other.heard("stroke"), []);
  });

  test("that is sent again is the same one", async () => {
    const server = await serve();
    const ada = await Person.open(server, "ada");
    const first = await ada.drawn("a1");
    ada.draw("a1", [1, 1, 2, 2]);
    await ada.drawn("a2");
    assert.deepEqual(await ada.heard("stroke"), [], "it was published once");
    const list = await (await Person.open(server, "late")).board();
    assert.deepEqual([list.length, list[0]], [2, first]);
  });

  test("has to be one", async () => {
    const server = await serve();
    const ada = await Person.open(server, "ada");
    const good = { type: "stroke", id: "a1", color: 1, width: 1, points: [0, 0] };
    const wrong = [{ id: 1 }, { id: "" }, { id: "a b" }, { id: "x".repeat(25) }, { color: 0 }, { color: 9 }, { color: 1.5 }, { width: 0 }, { width: 401 }, { points: [] }, { points: [1] }, { points: [1, 2, 3] }, { points: [16001, 0] }, { points: [0, 10001] }, { points: [-1, 0] }, { points: [0.5, 0] }, { points: ["1", "2"] }, { points: "1234" }, { points: Array(2002).fill(1) }];
    for (const change of wrong) {
      ada.say({ ...good, ...change });
      assert.equal((await ada.hears("refused")).code, "invalid", JSON.stringify(change));
    }
    await ada.drawn("a1", Array(2000).fill(1));
    ada.say({ type: "unheard of" });
    await ada.client.expectClose(1008);
    assert.deepEqual(await found(server), ["a1"]);
  });

  test("is seen while it is drawn, by others, and not kept", async () => {
    const server = await serve();
    const [ada, bob] = [await Person.open(server, "ada"), await Person.open(server, "bob")];
    ada.say({ type: "piece", id: "a1", color: 1, width: 20, points: [1, 2, 3, 4] });
    const { by, id, points, stream } = await bob.hears("piece");
    assert.deepEqual([by, id, points, stream], [ada.here.me.id, "a1", [1, 2, 3, 4], undefined]);
    assert.deepEqual(await ada.heard("piece"), []);
    assert.deepEqual(await found(server), []);
  });

  test("beyond what a board holds pushes out the oldest", async () => {
    const limit = 40;
    const server = await serve({ strokes: limit });
    const ada = await Person.open(server, "ada");
    assert.equal(ada.here.limit, limit);
    const long = Array(2000).fill(10000); // so that it takes several messages to tell
    const count = limit + 5;
    for (let i = 1; i <= count; i++) {
      await ada.drawn(`a${i}`, long);
    }
    const late = await Person.open(server, "late");
    const list = [];
    let messages = 0;
    for (; list.length < limit; messages++) {
      list.push(...(await late.hears("strokes")).list);
    }
    assert.ok(messages > 2, `${messages} messages`);
    assert.deepEqual([list.length, list[0].id, list.at(-1).id], [limit, "a6", `a${count}`]);
  });
});

describe("undo and clear", () => {
  test("take away one's own, and what one saw", async () => {
    const server = await serve();
    const [ada, bob] = [await Person.open(server, "ada"), await Person.open(server, "bob")];
    const one = await ada.drawn("a1");
    const two = await ada.drawn("a2");
    bob.say({ type: "undo", n: one.n });
    assert.equal((await bob.hears("refused")).code, "denied");
    bob.say({ type: "undo", n: 17 });
    assert.equal((await bob.hears("refused")).code, "not_found");
    ada.say({ type: "undo", n: one.n });
    ada.say({ type: "undo", n: one.n }); // its page lost the line, say
    for (const person of [ada, bob]) {
      assert.equal((await person.hears("erase")).n, one.n);
    }
    assert.deepEqual(await found(server), ["a2"]);
    ada.draw("a1"); // sent again, late: it stays undone
    const three = await bob.drawn("b1");
    ada.say({ type: "clear", upto: two.n });
    const { upto, by } = await bob.hears("clear");
    assert.deepEqual([upto, by], [two.n, "ada"]);
    assert.deepEqual(await found(server), ["b1"], "bob's came after what ada saw");
    ada.say({ type: "clear", upto: three.n + 1000 });
    assert.equal((await bob.hears("clear")).upto >= three.n, true);
    assert.deepEqual(await found(server), []);
    for (const message of [{ type: "undo" }, { type: "undo", n: "x" }, { type: "clear", upto: -1 }]) {
      ada.say(message);
      assert.equal((await ada.hears("refused")).code, "invalid");
    }
    await ada.drawn("a9");
    assert.deepEqual(await found(server), ["a9"]);
  });

  test("undo is one's own from another window, too", async () => {
    const server = await serve();
    const [window, other] = [await Person.open(server, "ada"), await Person.open(server, "ada")];
    const { n } = await window.drawn("a1");
    other.say({ type: "undo", n });
    assert.equal((await window.hears("erase")).n, n);
  });
});

describe("cursors and people", () => {
  test("the newest of each is told, and shown to who comes", async () => {
    const server = await serve();
    const [ada, bob] = [await Person.open(server, "ada"), await Person.open(server, "bob")];
    for (const x of [1, 2, 3]) {
      ada.say({ type: "cursor", x, y: 7 });
    }
    let seen;
    do {
      seen = await bob.hears("cursor");
    } while (seen.x !== 3);
    assert.deepEqual([seen.id, seen.nick, seen.color, seen.y], [ada.here.me.id, "ada", 3, 7]);
    ada.say({ type: "cursor", x: -1, y: 0 });
    assert.deepEqual(await ada.heard("cursor"), [], "not one's own");
    /* For as long as it is kept: again, should that be over before she is in. */
    await until("who comes sees it", async () => {
      ada.say({ type: "cursor", x: 4, y: 7 });
      await bob.hears("cursor");
      const late = await Person.open(server, "late");
      return (await late.heard("cursor")).some(({ x }) => x === 4);
    });
    await ada.client.close();
    await until("its cursor is forgotten", async () => (await (await Person.open(server, "later")).heard("cursor")).length === 0);
  });

  test("who is here is told, once for each person", async () => {
    const server = await serve();
    const ada = await Person.open(server, "ada");
    const twin = await Person.open(server, "ada");
    const bob = await Person.open(server, "bob");
    /* Who has just come may not be in the first answer: that is told a moment
     * later. */
    const { people } = await until("both are listed", async () => {
      bob.say({ type: "people" });
      const answer = await bob.hears("people");
      return answer.count === 2 && answer;
    });
    assert.deepEqual(people.map(({ nick }) => nick).sort(), ["ada", "bob"]);
    assert.ok(people.every(({ id }) => /^[0-9a-f]{16}$/.test(id)));
    let joined = [];
    while (!joined.some(({ nick }) => nick === "bob")) {
      ({ joined } = await ada.hears("presence"));
    }
    await twin.client.close();
    await ada.heard("people");
    ada.say({ type: "people" });
    assert.equal((await ada.hears("people")).count, 2);
  });

  test("a key is needed, a board has a plain name, and so has its page", async () => {
    const server = await serve();
    for (const key of [undefined, 7, "short", "x".repeat(65), `${"x".repeat(24)} `]) {
      const client = await Client.open(server, "/ws/tea");
      client.send(JSON.stringify({ type: "hello", key }));
      await client.expectClose(1008);
    }
    const silent = await Client.open(server, "/ws/tea");
    silent.send('{"type":"stroke"}');
    await silent.expectClose(1008);
    for (const name of ["Tea", "a%20b", "%7Bx%7D", "x".repeat(41)]) {
      await assert.rejects(Client.open(server, `/ws/${name}`), (error) => error instanceof Refused && error.status === 404, name);
      assert.equal((await fetch(`http://127.0.0.1:${server.port}/b/${name}`)).status, 404);
    }
    const front = await fetch(`http://127.0.0.1:${server.port}/`);
    assert.deepEqual([front.status, new URL(front.url).pathname], [200, "/b/lobby"]);
    assert.match(front.headers.get("content-type"), /^text\/html/);
    assert.match(await front.text(), /<canvas/);
  });
});

describe("strokes stay", () => {
  test("over a reload, with who draws them", async () => {
    const server = await serve();
    const ada = await Person.open(server, "ada");
    const { n } = await ada.drawn("a1");
    assert.equal((await server.reload()).status, 200);
    await ada.drawn("a2");
    assert.deepEqual(await found(server), ["a1", "a2"]);
    ada.say({ type: "undo", n });
    await ada.hears("erase");
    assert.deepEqual(await found(server), ["a2"]);
  });

  test("over the death of every worker", async () => {
    const server = await serve();
    const ada = await Person.open(server, "ada");
    await ada.drawn("a1");
    const { n } = await ada.drawn("a2");
    ada.say({ type: "undo", n });
    await ada.hears("erase");
    await ada.drawn("a3");
    await killAll(server);
    assert.deepEqual(await found(server), ["a1", "a3"]);
    const back = await Person.open(server, "ada", { since: ada.here.position });
    assert.deepEqual((await back.board()).map(({ id }) => id), ["a1", "a3"], "its history is gone: the whole board");
    back.draw("a2"); // undone: it stays so
    await back.drawn("a3"); // it had not heard it, say
    const { n: newest } = await back.drawn("a4");
    assert.ok(newest > n);
    assert.deepEqual(await found(server), ["a1", "a3", "a4"]);
  });

  test("for who stays while the board's home dies: they get the board again", async () => {
    const server = await serve();
    /* Of these boards some live in slot 0, and these people in slot 1. */
    const stay = [];
    for (let i = 0; stay.length < 8; i++) {
      const person = await Person.open(server, "ada", { board: `b${i % 8}` });
      if (person.here.worker === 1 && !stay.some(({ board }) => board === `b${i % 8}`)) {
        await person.board();
        await person.drawn("a1");
        stay.push({ board: `b${i % 8}`, person });
      } else {
        person.client.drop();
      }
    }
    const { pid } = await server.worker(0);
    process.kill(pid, "SIGKILL");
    await server.replaced(0, pid);
    let told = 0;
    for (const { person } of stay) {
      /* It comes live, or with the board that is told anew. */
      const lists = [];
      await until("a stroke is taken", async () => {
        person.draw("a2");
        lists.push(...(await person.heard("strokes")).map(({ list }) => list));
        const known = [...(await person.heard("stroke")), ...lists.flat()];
        return known.some(({ id }) => id === "a2");
      });
      const again = await person.heard("here");
      if (again.length > 0) {
        told += 1;
        assert.ok(again[0].whole);
        lists.length === 0 && lists.push((await person.hears("strokes")).list);
        assert.equal(lists[0][0].id, "a1");
      }
    }
    assert.ok(told > 0, "none of the boards lived there");
  });

  test("a page that was away for a moment gets just what it missed", async () => {
    const server = await serve();
    const [ada, bob] = [await Person.open(server, "ada"), await Person.open(server, "bob")];
    await ada.drawn("a1");
    await bob.client.close();
    const { n } = await ada.drawn("a2");
    ada.say({ type: "clear", upto: n });
    await ada.hears("clear");
    await ada.drawn("a3");
    const { epoch } = bob.here.position;
    const back = await Person.open(server, "bob", { since: { epoch, offset: 1 } });
    assert.equal(back.here.whole, false);
    assert.deepEqual([back.here.position.offset, back.here.position.count], [4, 3]);
    const missed = [await back.hears("stroke"), await back.hears("clear"), await back.hears("stroke")];
    assert.deepEqual(missed.map(({ id, upto }) => id ?? upto), ["a2", n, "a3"]);
    assert.deepEqual(await back.heard("strokes"), []);
  });
});

test("its configuration passes the check", async () => {
  const { code, stderr } = await run(["check", `${FOLDER}/main.lua`, "--config", `${FOLDER}/config.lua`]);
  assert.deepEqual([code, stderr], [0, ""]);
});

test("its guide shows the code that runs", () => assertShows("docs/how-to/share-a-whiteboard.md", "whiteboard"));

test("its own tests pass", async () => {
  const { code, stdout, stderr } = await run(["test", `${FOLDER}/main_test.lua`]);
  assert.equal(code, 0, stdout + stderr);
});
