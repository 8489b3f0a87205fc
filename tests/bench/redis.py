#!/usr/bin/env python3
"""Pipelined calls of tw.redis beside those of redis-benchmark, in one run.

redis.py PROGRAM [DEPTH]: both ask one Redis for a key in pipelines of DEPTH
(100) over two connections, in turns; the medians and their ratio are printed.
SPDX-License-Identifier: MIT"""
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

ROUNDS, CALLS, TASKS = 5, 400_000, 8


def wait_for(what, check):
    deadline = time.monotonic() + 30
    while not check():
        if time.monotonic() > deadline:
            sys.exit(f"redis.py: {what} does not come")
        time.sleep(0.05)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def answers(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def theirs(port, depth):
    command = ["redis-benchmark", "-p", str(port), "-c", "2", "-P", str(depth)]
    command += ["-n", str(CALLS), "-q", "GET", "key"]
    text = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(re.findall(r"([0-9.]+) requests per second", text.stdout)[-1])


def ours(port, depth):
    pipelines = max(1, CALLS // depth // TASKS)
    query = f"pipelines={pipelines}&depth={depth}&tasks={TASKS}"
    url = f"http://127.0.0.1:{port}/run?{query}"
    with urllib.request.urlopen(url, timeout=120) as answer:
        return json.load(answer)["rate"]


def measure(program, depth, folder, children):
    redis_port, port = free_port(), free_port()
    here = os.path.dirname(os.path.abspath(__file__))
    redis = ["redis-server", "--port", str(redis_port), "--bind", "127.0.0.1"]
    children.append(subprocess.Popen(
        redis + ["--save", "", "--dir", folder], stdout=subprocess.DEVNULL))
    wait_for("Redis", lambda: answers(redis_port))
    children.append(subprocess.Popen(
        [program, "run", os.path.join(here, "redis.lua"), "--workers", "1",
         "--listen", f"127.0.0.1:{port}", "--admin", "off", "--runtime-dir",
         os.path.join(folder, "run"), "--log-level", "warn", "--redis",
         f"redis://127.0.0.1:{redis_port}"]))
    wait_for("the server", lambda: answers(port))
    rounds = [(theirs(redis_port, depth), ours(port, depth))
              for _ in range(ROUNDS)]
    return [statistics.median(side) for side in zip(*rounds)]


def main():
    depth = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    folder, children = tempfile.mkdtemp(prefix="tw-redis-"), []
    try:
        benchmark, tidewire = measure(sys.argv[1], depth, folder, children)
    finally:
        for child in reversed(children):
            child.terminate()
            child.wait()
        shutil.rmtree(folder)
    print(f"pipelines of {depth}: redis-benchmark {benchmark:,.0f} calls/s, "
          f"tw.redis {tidewire:,.0f} calls/s, ratio {tidewire / benchmark:.2f}")


if __name__ == "__main__":
    main()
