"""Which plots there are.

SPDX-License-Identifier: MIT
"""
from .plot import dots

POINTS = (("p50", "p50"), ("p99", "p99"), ("p99_9", "p99.9"))

CPU = {
    "performance-echo.svg": (
        "Echo of 64 bytes over 100 connections",
        "server CPU, µs per round trip",
        (("echo-1-text", "1 in flight"), ("echo-16-text", "16 in flight")),
    ),
    "performance-fanout.svg": (
        "Fan-out of 64 bytes",
        "server CPU, µs per delivery",
        (
            ("fanout-1000-64-1", "1,000, one by one"),
            ("fanout-1000-64-16", "1,000, bursts of 16"),
            ("fanout-10000-64-16", "10,000, bursts of 16"),
        ),
    ),
}


def rows(figures, readers):
    """For each server a value of each (work, figure); servers without any are
    left out."""
    found = []
    for peer in figures.peers():
        values = [figures.median(work, peer, name) for work, name in readers]
        if any(v is not None for v in values):
            found.append((figures.titles[peer], values))
    return found


def cpu(figures, title, unit, works):
    readers = [(work, "cpu") for work, _ in works]
    return dots(title, unit, [name for _, name in works], rows(figures, readers))


def latency(figures):
    readers = [("steady-1000", point) for point, _ in POINTS]
    return dots(
        "40 messages a second to 1,000 subscribers",
        "latency, ms",
        [name for _, name in POINTS],
        rows(figures, readers),
    )


def memory(figures):
    work = "idle" if "idle" in figures.works() else "idle-quick"
    return dots(
        "Idle subscribers with a heartbeat",
        "user memory of the server, bytes per connection",
        ["median"],
        rows(figures, [(work, "memory")]),
    )


def draw(figures):
    """The plots: SVG by group and file name."""
    svgs = {"cpu": {name: cpu(figures, *what) for name, what in CPU.items()}}
    svgs["latency"] = {"performance-latency.svg": latency(figures)}
    svgs["memory"] = {"performance-memory.svg": memory(figures)}
    return {
        group: {name: svg for name, svg in named.items() if svg is not None}
        for group, named in svgs.items()
    }
