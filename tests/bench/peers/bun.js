/* bun.js - the peer app on Bun's WebSocket server, which is uWebSockets:
 * /echo, /sub, /pub and /room, with the server's own publish. ?channel= names
 * a channel, or several for /room, which talks in the first.
 *
 *   bun bun.js PORT
 *
 * SPDX-License-Identifier: MIT */
const apps = {
  "/echo": {
    message(ws, message) {
      ws.send(message);
    },
  },
  "/sub": {
    open(ws) {
      ws.subscribe(ws.data.channel);
    },
    message() {},
  },
  "/pub": {
    message(ws, message) {
      server.publish(ws.data.channel, message);
    },
  },
  "/room": {
    open(ws) {
      const names = ws.data.channel.split(",");
      names.forEach((name) => ws.subscribe(name));
      ws.data.channel = names[0];
    },
    message(ws, message) {
      ws.publish(ws.data.channel, message); // to all but itself
    },
  },
};

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: Number(process.argv[2]),
  fetch(request, server) {
    const url = new URL(request.url);
    const app = apps[url.pathname];
    const channel = url.searchParams.get("channel") ?? "bench";
    if (app === undefined || !server.upgrade(request, { data: { app, channel } })) {
      return new Response("a WebSocket at /echo, /sub, /pub or /room\n", { status: 404 });
    }
  },
  websocket: {
    perMessageDeflate: false,
    maxPayloadLength: 1 << 20,
    backpressureLimit: 1 << 20,
    idleTimeout: 60,
    sendPings: true,
    open(ws) {
      ws.data.app.open?.(ws);
    },
    message(ws, message) {
      ws.data.app.message(ws, message);
    },
  },
});
