/* ws.mjs - the peer app on ws, Node's usual WebSocket server: /echo, /sub,
 * /pub and /room. ?channel= names a channel, or several for /room, which talks
 * in the first.
 *
 *   node ws.mjs PORT      with ws in node_modules of the current folder
 *
 * SPDX-License-Identifier: MIT */
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(join(process.cwd(), "package.json"));
const { WebSocketServer, WebSocket } = require("ws");

const HEARTBEAT_MS = 30_000;

const channels = new Map(); // name -> Set of sockets

function subscribe(socket, channel) {
  if (!channels.has(channel)) {
    channels.set(channel, new Set());
  }
  const members = channels.get(channel);
  members.add(socket);
  socket.on("close", () => {
    members.delete(socket);
    if (members.size === 0) {
      channels.delete(channel);
    }
  });
}

function publish(channel, data, binary, except) {
  for (const socket of channels.get(channel) ?? []) {
    if (socket !== except && socket.readyState === WebSocket.OPEN) {
      socket.send(data, { binary });
    }
  }
}

const apps = {
  "/echo"(socket) {
    socket.on("message", (data, binary) => socket.send(data, { binary }));
  },
  "/sub"(socket, channel) {
    subscribe(socket, channel);
  },
  "/pub"(socket, channel) {
    socket.on("message", (data, binary) => publish(channel, data, binary));
  },
  "/room"(socket, channel) {
    const names = channel.split(",");
    names.forEach((name) => subscribe(socket, name));
    socket.on("message", (data, binary) => publish(names[0], data, binary, socket));
  },
};

const server = new WebSocketServer({
  host: "127.0.0.1",
  port: Number(process.argv[2]),
  backlog: 4096,
  perMessageDeflate: false,
  maxPayload: 1 << 20,
  clientTracking: true,
});

server.on("connection", (socket, request) => {
  const url = new URL(request.url, "ws://127.0.0.1");
  socket.isAlive = true;
  socket.on("pong", () => (socket.isAlive = true));
  socket.on("error", () => socket.terminate());
  const app = apps[url.pathname];
  if (app === undefined) {
    socket.close(1008);
  } else {
    app(socket, url.searchParams.get("channel") ?? "bench");
  }
});

// The heartbeat of the package's own documentation.
setInterval(() => {
  for (const socket of server.clients) {
    if (!socket.isAlive) {
      socket.terminate();
    } else {
      socket.isAlive = false;
      socket.ping();
    }
  }
}, HEARTBEAT_MS);
