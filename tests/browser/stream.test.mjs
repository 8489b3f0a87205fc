/* stream.test.mjs - the pages' socket by itself: its place in a stream, and how
 * it comes back. No browser and no server here; time passes when told to.
 * SPDX-License-Identifier: MIT */

import assert from "node:assert/strict";
import { beforeEach, describe, mock, test } from "node:test";
import { pageModule } from "./page-module.mjs";

/* What a browser has, and Node 18 has not. */
class FakeSocket {
  static all = [];
  sent = [];
  closed = null;

  constructor(url) {
    this.url = url;
    FakeSocket.all.push(this);
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close(code) {
    this.closed = code ?? 1005;
  }

  static get newest() {
    return FakeSocket.all.at(-1);
  }
}

globalThis.CustomEvent ??= class extends Event {
  constructor(name, { detail }) {
    super(name);
    this.detail = detail;
  }
};
const page = new EventTarget();
globalThis.addEventListener ??= page.addEventListener.bind(page);
globalThis.removeEventListener ??= page.removeEventListener.bind(page);
globalThis.document = Object.assign(new EventTarget(), { visibilityState: "visible" });
globalThis.location = { href: "https://tide.example/chat/" };
globalThis.WebSocket = FakeSocket;

const { ReconnectingSocket } = await pageModule("socket.js");
const { Streams, StreamSocket } = await pageModule("stream.js");

const at = (epoch, offset, count = 0, stream = "room") => ({ type: "joined", position: { stream, epoch, offset, count } });
const said = (text, stream = "room") => ({ type: "say", stream, text });

/* Which of the next `count` messages are shown. */
function shown(streams, count) {
  return Array.from({ length: count }, (_, i) => streams.take(said(i)).isNew);
}

describe("a place in a stream", () => {
  test("is unknown at first, and then told", () => {
    const streams = new Streams();
    assert.equal(streams.since("room"), undefined);
    const { isNew, arrival } = streams.take(at("a", 7, 2));
    assert.equal(isNew, true);
    assert.deepEqual(arrival, { stream: "room", isFirst: true, missed: false, fresh: 2 });
    assert.deepEqual(streams.since("room"), { epoch: "a", offset: 5 }, "two of the seven are still to come");
  });

  test("goes on by one with each message of the stream, and with no other", () => {
    const streams = new Streams();
    streams.take(at("a", 7, 2));
    assert.deepEqual(shown(streams, 3), [true, true, true]);
    streams.take({ type: "typing", room: "room" });
    streams.take(said("elsewhere", "other"));
    streams.take(null);
    streams.take("text");
    assert.deepEqual(streams.since("room"), { epoch: "a", offset: 8 });
  });

  test("is kept apart from those in other streams", () => {
    const streams = new Streams();
    streams.take(at("a", 1, 0, "one"));
    streams.take(at("b", 2, 0, "two"));
    streams.take(said("", "two"));
    assert.deepEqual(streams.since("one"), { epoch: "a", offset: 1 });
    assert.deepEqual(streams.since("two"), { epoch: "b", offset: 3 });
  });

  test("after a break: what was missed comes, and nothing is missing", () => {
    const streams = new Streams();
    streams.take(at("a", 5));
    streams.pause();
    const { arrival } = streams.take(at("a", 8, 3));
    assert.deepEqual(arrival, { stream: "room", isFirst: false, missed: false, fresh: 3 });
    assert.deepEqual(shown(streams, 4), [true, true, true, true]);
    assert.deepEqual(streams.since("room"), { epoch: "a", offset: 9 });
  });

  test("after a break in which nothing was said", () => {
    const streams = new Streams();
    streams.take(at("a", 5));
    streams.pause();
    assert.deepEqual(streams.take(at("a", 5)).arrival, { stream: "room", isFirst: false, missed: false, fresh: 0 });
  });

  test("what was shown is not shown again when more comes than was asked for", () => {
    const streams = new Streams();
    streams.take(at("a", 5));
    streams.pause();
    const { arrival } = streams.take(at("a", 8, 6)); // 3 to 8
    assert.deepEqual(arrival, { stream: "room", isFirst: false, missed: false, fresh: 3 });
    assert.deepEqual(shown(streams, 7), [false, false, false, true, true, true, true]);
    assert.deepEqual(streams.since("room"), { epoch: "a", offset: 9 });
  });

  test("what came after the page had asked is not shown again", () => {
    const streams = new Streams();
    streams.take(at("a", 5));
    assert.deepEqual(streams.since("room"), { epoch: "a", offset: 5 });
    assert.deepEqual(shown(streams, 2), [true, true]); // 6 and 7, on their way meanwhile
    const { arrival } = streams.take(at("a", 8, 3));
    assert.deepEqual(arrival, { stream: "room", isFirst: false, missed: false, fresh: 1 });
    assert.deepEqual(shown(streams, 3), [false, false, true]);
  });

  test("a history that does not reach back is told", () => {
    const streams = new Streams();
    streams.take(at("a", 5));
    streams.pause();
    const { arrival } = streams.take(at("a", 20, 10)); // 11 to 20
    assert.deepEqual(arrival, { stream: "room", isFirst: false, missed: true, fresh: 10 });
    assert.deepEqual(shown(streams, 10), Array(10).fill(true));
    assert.deepEqual(streams.since("room"), { epoch: "a", offset: 20 });
  });

  test("a history that ends exactly where the page is misses nothing", () => {
    const streams = new Streams();
    streams.take(at("a", 10));
    streams.pause();
    assert.equal(streams.take(at("a", 20, 10)).arrival.missed, false);
    const other = new Streams();
    other.take(at("a", 10));
    assert.equal(other.take(at("a", 20, 9)).arrival.missed, true, "11 is not there");
  });

  test("another epoch is another life: offsets of the first mean nothing", () => {
    const streams = new Streams();
    streams.take(at("a", 50));
    streams.pause();
    const { arrival } = streams.take(at("b", 3, 3));
    assert.deepEqual(arrival, { stream: "room", isFirst: false, missed: true, fresh: 3 });
    assert.deepEqual(shown(streams, 3), [true, true, true]);
    assert.deepEqual(streams.since("room"), { epoch: "b", offset: 3 });
  });

  test("a position behind the page's own is not believed to be the same life", () => {
    const streams = new Streams();
    streams.take(at("a", 50));
    streams.pause();
    const { arrival } = streams.take(at("a", 3, 1));
    assert.deepEqual(arrival, { stream: "room", isFirst: false, missed: true, fresh: 1 });
    assert.deepEqual(shown(streams, 2), [true, true]);
    assert.deepEqual(streams.since("room"), { epoch: "a", offset: 4 });
  });

  test("a line that broke in the middle of what was missed goes on there", () => {
    const streams = new Streams();
    streams.take(at("a", 5));
    streams.pause();
    streams.take(at("a", 10, 5));
    shown(streams, 2);
    streams.pause();
    assert.deepEqual(streams.since("room"), { epoch: "a", offset: 7 });
    assert.deepEqual(streams.take(at("a", 11, 4)).arrival, { stream: "room", isFirst: false, missed: false, fresh: 4 });
    assert.deepEqual(shown(streams, 4), [true, true, true, true]);
  });

  test("nothing is counted between a new line and its position", () => {
    const streams = new Streams();
    streams.take(at("a", 5));
    streams.pause();
    assert.deepEqual(shown(streams, 2), [false, false]);
    assert.deepEqual(streams.since("room"), { epoch: "a", offset: 5 });
  });

  test("a stream without a position is shown as it comes", () => {
    assert.deepEqual(shown(new Streams(), 2), [true, true]);
  });

  test("can be forgotten", () => {
    const streams = new Streams();
    streams.take(at("a", 5));
    streams.forget("room");
    assert.equal(streams.since("room"), undefined);
    assert.equal(streams.take(at("b", 9)).arrival.isFirst, true);
  });

  test("agrees with a server whatever breaks, and when", () => {
    // A home with a window of 20, a line that breaks at random, a page that
    // believes what it counts. Seeded, so that a failure can be looked at.
    let seed = 7;
    const random = (below) => {
      seed = (seed * 1103515245 + 12345) % 2 ** 31;
      return Math.floor((seed / 2 ** 31) * below);
    };
    for (let round = 0; round < 200; round++) {
      const streams = new Streams();
      let epoch = 1;
      let log = [];
      let line = [];
      const seen = [];
      const told = new Set(); // epoch/offset of what was published behind a gap
      const subscribe = () => {
        line = []; // what was on its way is lost
        streams.pause();
        const since = streams.since("room");
        const first = Math.max(0, log.length - 20);
        const isKnown = since && since.epoch === String(epoch) && since.offset >= first;
        const start = isKnown ? since.offset : Math.max(first, log.length - 5);
        line.push(at(String(epoch), log.length, log.length - start));
        line.push(...log.slice(start));
      };
      subscribe();
      for (let step = 0; step < 150; step++) {
        const dice = random(40);
        if (dice === 0) {
          epoch += 1;
          log = [];
          subscribe();
        } else if (dice <= 2) {
          for (let i = random(30); i > 0; i--) {
            log.push({ stream: "room", epoch, offset: log.length + 1 });
          }
          subscribe();
        } else if (dice <= 20) {
          const message = { stream: "room", epoch, offset: log.length + 1 };
          log.push(message);
          line.push(message);
        } else if (line.length > 0) {
          const message = line.shift();
          const { isNew, arrival } = streams.take(message);
          arrival?.missed && told.add(seen.length);
          isNew && message.offset && seen.push(message);
        }
      }
      while (line.length > 0) {
        const message = line.shift();
        const { isNew, arrival } = streams.take(message);
        arrival?.missed && told.add(seen.length);
        isNew && message.offset && seen.push(message);
      }
      seen.slice(1).forEach((message, i) => {
        const before = seen[i];
        const follows = message.epoch === before.epoch && message.offset === before.offset + 1;
        const isLater = message.epoch > before.epoch || (message.epoch === before.epoch && message.offset > before.offset);
        assert.ok(isLater, `round ${round}: shown twice, or out of order`);
        assert.ok(follows || told.has(i + 1), `round ${round}: something is missing, and nobody said so`);
      });
    }
  });
});

describe("places that outlive their page", () => {
  class Storage {
    items = {};
    getItem(key) {
      return this.items[key] ?? null;
    }
    setItem(key, value) {
      this.items[key] = value;
    }
  }

  test("are found again", () => {
    const storage = new Storage();
    const first = new Streams({ storage });
    first.take(at("a", 5));
    first.take(said("six"));
    const second = new Streams({ storage });
    assert.deepEqual(second.since("room"), { epoch: "a", offset: 6 });
    assert.deepEqual(second.take(at("a", 8, 2)).arrival, { stream: "room", isFirst: false, missed: false, fresh: 2 });
  });

  test("do without a storage that is forbidden, or that holds something else", () => {
    const forbidden = { getItem: () => assert.fail("forbidden"), setItem: () => assert.fail("full") };
    for (const storage of [forbidden, { ...new Storage(), getItem: () => "[7", setItem() {} }, { getItem: () => '{"room":null}', setItem() {} }]) {
      const streams = new Streams({ storage });
      assert.equal(streams.since("room"), undefined);
      streams.take(at("a", 5));
      assert.deepEqual(streams.since("room"), { epoch: "a", offset: 5 });
    }
  });
});

describe("a socket that comes back", () => {
  const lose = (code = 1006) => FakeSocket.newest.onclose({ code, reason: "" });
  const open = () => FakeSocket.newest.onopen();
  const hear = (message) => FakeSocket.newest.onmessage({ data: JSON.stringify(message) });

  beforeEach(() => {
    FakeSocket.all = [];
  });

  /* A socket whose waits are written down instead of waited for. */
  function watched(context, Kind = ReconnectingSocket, options = {}) {
    const timers = mock.method(globalThis, "setTimeout", (run, ms) => ({ run, ms }));
    const now = mock.method(Date, "now", () => 1_000_000);
    context.after(() => [timers, now].forEach((one) => one.mock.restore()));
    const socket = new Kind("/chat/ws", { random: () => 1, ...options });
    return { socket, waits: () => socket.retryAt - 1_000_000 };
  }

  test("waits a random part of a window that doubles up to a cap", (context) => {
    const { socket, waits } = watched(context);
    const windows = [];
    for (let i = 0; i < 7; i++) {
      lose();
      windows.push(waits());
      socket.retryNow();
    }
    assert.deepEqual(windows, [1000, 2000, 4000, 8000, 16000, 20000, 20000]);
    assert.equal(FakeSocket.newest.url, "wss://tide.example/chat/ws");
  });

  test("spreads the attempts of many over the whole window", (context) => {
    const parts = [0, 0.25, 0.99];
    const seen = parts.map((part) => {
      const { waits } = watched(context, ReconnectingSocket, { random: () => part });
      lose();
      return waits();
    });
    assert.deepEqual(seen, [0, 250, 990]);
  });

  test("comes back soon when the server said that it restarts, late when told to", (context) => {
    const { socket, waits } = watched(context);
    open();
    lose(1012);
    assert.equal(waits(), 500);
    socket.retryNow();
    lose(1013);
    assert.equal(waits(), 8000);
  });

  test("stays away when coming back cannot help", (context) => {
    const { socket } = watched(context);
    open();
    lose(1009);
    assert.equal(socket.state, "closed");
  });

  test("hears nothing from a line that it has given up", (context) => {
    const { socket } = watched(context);
    const [first] = FakeSocket.all;
    open();
    lose();
    socket.retryNow();
    assert.equal(first.onmessage, null);
    assert.equal(FakeSocket.all.length, 2);
  });

  test("keeps its place over a break, and shows nothing twice", (context) => {
    const { socket } = watched(context, StreamSocket);
    const heard = [];
    const arrivals = [];
    socket.addEventListener("message", ({ detail }) => heard.push(detail.text ?? detail.type));
    socket.addEventListener("arrival", ({ detail }) => arrivals.push([heard.length, detail.missed]));
    socket.addEventListener("open", () => socket.send({ type: "enter", since: socket.since("room") }));
    open();
    assert.deepEqual(FakeSocket.newest.sent, [{ type: "enter" }], "who was not there yet names no place");
    hear(at("a", 1));
    hear(said("two"));
    lose();
    socket.retryNow();
    open();
    assert.deepEqual(FakeSocket.newest.sent, [{ type: "enter", since: { epoch: "a", offset: 2 } }]);
    hear(said("too early")); // a server that does not keep the order
    hear(at("a", 4, 3));
    ["two", "three", "four", "five"].forEach((text) => hear(said(text)));
    assert.deepEqual(heard, ["joined", "two", "joined", "three", "four", "five"]);
    assert.deepEqual(arrivals, [[1, false], [3, false]], "told behind the message that carries it");
  });

  test("tells of a gap", (context) => {
    const { socket } = watched(context, StreamSocket);
    const gaps = [];
    socket.addEventListener("arrival", ({ detail }) => detail.missed && gaps.push(detail.stream));
    open();
    hear(at("a", 1));
    hear(at("b", 0));
    assert.deepEqual(gaps, ["room"]);
  });
});
