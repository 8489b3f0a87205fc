#!/usr/bin/python3
"""The peer app on python3-websockets: /echo, /sub, /pub and /room.

    python.py PORT

?channel= names a channel, or several for /room, which talks in the first.

SPDX-License-Identifier: MIT
"""
import asyncio
import resource
import sys
from urllib.parse import parse_qs, urlsplit

import websockets

channels = {}  # name -> set of sockets


def subscribe(socket, channel):
    channels.setdefault(channel, set()).add(socket)


def unsubscribe(socket, channel):
    members = channels[channel]
    members.discard(socket)
    if not members:
        del channels[channel]


async def echo(socket, _channel):
    async for message in socket:
        await socket.send(message)


async def sub(socket, channel):
    subscribe(socket, channel)
    try:
        await socket.wait_closed()
    finally:
        unsubscribe(socket, channel)


async def pub(socket, channel):
    async for message in socket:
        websockets.broadcast(channels.get(channel, ()), message)


async def room(socket, channel):
    names = channel.split(",")
    for name in names:
        subscribe(socket, name)
    try:
        async for message in socket:
            websockets.broadcast(channels[names[0]] - {socket}, message)
    finally:
        for name in names:
            unsubscribe(socket, name)


APPS = {"/echo": echo, "/sub": sub, "/pub": pub, "/room": room}


async def serve(socket):
    url = urlsplit(socket.path)
    channel = parse_qs(url.query).get("channel", ["bench"])[0]
    app = APPS.get(url.path)
    if app is None:
        await socket.close(1008)
    else:
        try:
            await app(socket, channel)
        except websockets.ConnectionClosed:
            pass


async def main():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    async with websockets.serve(
        serve,
        "127.0.0.1",
        int(sys.argv[1]),
        backlog=4096,
        compression=None,
        max_size=1 << 20,
        ping_interval=30,
        ping_timeout=30,
    ):
        await asyncio.Future()


asyncio.run(main())
