"""What is measured: the work list, and what of it a mode asks for.

SPDX-License-Identifier: MIT
"""
from dataclasses import dataclass

OURS = ("tidewire",)
ONE_WORKER_EACH = (
    "tidewire",
    "floor-merge",
    "floor-single",
    "bun",
    "lws",
    "gorilla",
    "nchan",
    "ws",
    "python",
)


@dataclass(frozen=True)
class Work:
    """One line of the tables. `unit` is what CPU time is divided by."""

    name: str
    group: str
    title: str
    mode: str
    arguments: tuple
    connections: int
    unit: str
    peers: tuple = ONE_WORKER_EACH
    is_quick: bool = False
    reload: bool = False  # in the middle
    path: str = ""  # behind the URL
    times: int = 1  # as long as others: slow servers take seconds for one burst

    def fits(self, peer, modes):
        return peer.name in self.peers and self.mode in peer.modes and self.mode in modes


def number(value):
    return f"{value:,}"


def echoes():
    for in_flight in (1, 16):
        for form in ("text", "binary"):
            arguments = ["--connections", 100, "--in-flight", in_flight]
            arguments += ["--binary"] if form == "binary" else []
            yield Work(
                name=f"echo-{in_flight}-{form}",
                group="echo",
                title=f"echo, {form}, {in_flight} in flight",
                mode="echo",
                path="/echo",
                arguments=tuple(arguments),
                connections=100,
                unit="round trip",
                is_quick=form == "text",
            )


def fan_outs():
    for size, size_title in ((64, "64 B"), (1024, "1 KiB")):
        for subscribers in (100, 1000, 10000):
            for in_flight in (1, 16):
                yield Work(
                    name=f"fanout-{subscribers}-{size}-{in_flight}",
                    group="fanout",
                    title=f"fan-out to {number(subscribers)}, {size_title}, "
                    f"{in_flight} in flight",
                    mode="fanout",
                    arguments=(
                        "--subscribers",
                        subscribers,
                        "--size",
                        size,
                        "--in-flight",
                        in_flight,
                    ),
                    connections=subscribers + 1,
                    unit="delivery",
                    is_quick=(subscribers, size) == (1000, 64),
                    times=2 if subscribers * in_flight > 100000 else 1,
                )


def steady(name, title, subscribers, rate, peers=ONE_WORKER_EACH, **more):
    arguments = ("--subscribers", subscribers, "--rate", rate)
    return Work(
        name=name,
        group=more.pop("group", "steady"),
        title=title,
        mode="fanout",
        arguments=arguments + tuple(more.pop("arguments", ())),
        connections=subscribers + 1,
        unit="delivery",
        peers=peers,
        **more,
    )


def everything():
    """The whole list, in the order of the tables."""
    works = [*echoes(), *fan_outs()]
    works += [
        steady("steady-1000", "40 messages/s to 1,000", 1000, 40),
        steady("steady-100", "2,000 messages/s to 100", 100, 2000),
        steady(
            "steady-100-batch",
            "the same, gathered for 1 ms",
            100,
            2000,
            peers=OURS,
            arguments=("--channel", "batch:bench"),
        ),
        Work(
            name="rooms-100",
            group="rooms",
            title="100 rooms of 100, everybody talks",
            mode="rooms",
            arguments=("--rooms", 100, "--members", 100),
            connections=10000,
            unit="delivery",
            times=4,
        ),
        Work(
            name="rooms-2",
            group="rooms",
            title="9,000 rooms of 2",
            mode="rooms",
            arguments=("--rooms", 9000, "--members", 2),
            connections=18000,
            unit="delivery",
        ),
        Work(
            name="idle",
            group="idle",
            title="15,000 idle subscribers",
            mode="idle",
            path="/sub",
            arguments=("--connections", 15000, "--settle", 1),
            connections=15000,
            unit="connection",
        ),
        Work(
            name="idle-quick",
            group="idle",
            title="2,000 idle subscribers",
            mode="idle",
            path="/sub",
            arguments=("--connections", 2000),
            connections=2000,
            unit="connection",
            is_quick=True,
        ),
        Work(
            name="churn",
            group="churn",
            title="connect, subscribe and close, 64 at a time",
            mode="churn",
            path="/sub",
            arguments=("--connections", 64),
            connections=64,
            unit="connection",
        ),
        Work(
            name="workers",
            group="workers",
            title="fan-out to 100, 4 publishers, 16 in flight",
            mode="fanout",
            arguments=(
                "--subscribers",
                100,
                "--publishers",
                4,
                "--in-flight",
                16,
            ),
            connections=104,
            unit="delivery",
            peers=("tidewire", "tidewire-2"),
        ),
        steady(
            "reload-none",
            "100 messages/s to 1,000, no reload",
            1000,
            100,
            peers=OURS,
            group="reload",
        ),
        steady(
            "reload",
            "the same with a reload in the middle",
            1000,
            100,
            peers=OURS,
            group="reload",
            reload=True,
        ),
    ]
    return works


def choose(names, quick):
    """Those of the list that are wanted; names may be beginnings of names.
    Raises KeyError for one that is none."""
    works = everything()
    for name in names:
        if not any(work.name.startswith(name) for work in works):
            raise KeyError(name)
    if names:
        return [w for w in works if w.name.startswith(tuple(names))]
    if quick:
        return [w for w in works if w.is_quick]
    return [w for w in works if w.name != "idle-quick"]
