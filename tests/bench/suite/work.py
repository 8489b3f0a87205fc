"""What is measured: the list of works, and who does which.

SPDX-License-Identifier: MIT
"""
from dataclasses import dataclass

OURS = ("tidewire",)
MERGE = ("tidewire", "floor-merge")
FAST = MERGE + ("bun", "lws", "gorilla", "nchan")
FAST_AND_SINGLE = FAST + ("floor-single",)

# python3-websockets and ws need ten times the CPU of the others. They do the
# works that tell where they stand; the rest would be hours.
WITH_WS = FAST_AND_SINGLE + ("ws",)
EVERYONE = WITH_WS + ("python",)


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
    peers: tuple = EVERYONE
    is_quick: bool = False
    path: str = ""  # behind the URL
    times: float = 1  # as long as others: slow servers take seconds for a burst
    reload: bool = False  # in the middle
    hold_us: int = 0  # how long the floor holds what is published
    counts_link: bool = False  # records between workers, for each publication
    fan: int = 0  # subscribers of a channel, where that is needed

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
                peers=EVERYONE if form == "text" else WITH_WS,
                is_quick=form == "text",
            )


def who_fans(subscribers, size):
    if size > 64:
        return FAST
    return {100: WITH_WS, 1000: EVERYONE}.get(subscribers, FAST_AND_SINGLE)


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
                        *("--subscribers", subscribers),
                        *("--size", size, "--in-flight", in_flight),
                    ),
                    connections=subscribers + 1,
                    unit="delivery",
                    peers=who_fans(subscribers, size),
                    is_quick=(subscribers, size) == (1000, 64),
                    times=2 if subscribers * in_flight > 100000 else 1,
                )


def steady(name, title, subscribers, rate, arguments=(), group="steady", **more):
    return Work(
        name=name,
        group=group,
        title=title,
        mode="fanout",
        arguments=("--subscribers", subscribers, "--rate", rate, *arguments),
        connections=subscribers + 1,
        unit="delivery",
        **more,
    )


def steadies():
    return [
        steady(
            "steady-1000",
            "40,000 deliveries/s to 1,000",
            subscribers=1000,
            rate=40,
            is_quick=True,
            times=3,  # its percentiles are those of 40 messages a second
        ),
        steady(
            "steady-100",
            "2,000 messages/s to 100",
            subscribers=100,
            rate=2000,
            peers=MERGE,
        ),
        # The name of the channel is our class; to others it is but a name.
        steady(
            "steady-100-held",
            "2,000 messages/s to 100; Tidewire and floor hold for 1 ms",
            subscribers=100,
            rate=2000,
            arguments=("--channel", "batch:bench"),
            peers=FAST,
            hold_us=1000,
        ),
    ]


def rooms():
    return [
        Work(
            name="rooms-100",
            group="rooms",
            title="100 rooms of 100, everybody talks",
            mode="rooms",
            arguments=("--rooms", 100, "--members", 100),
            connections=10000,
            unit="delivery",
            peers=MERGE + ("bun", "gorilla"),  # libwebsockets takes a minute
            times=3,
        ),
        Work(
            name="rooms-few",
            group="rooms",
            title="10,000 channels of 3, 3 channels each",
            mode="rooms",
            arguments=("--rooms", 10000, "--members", 3, "--overlap"),
            connections=10000,
            unit="delivery",
            peers=FAST,
        ),
    ]


def idles():
    for name, connections in (("idle", 15000), ("idle-quick", 2000)):
        yield Work(
            name=name,
            group="idle",
            title=f"{number(connections)} idle subscribers",
            mode="idle",
            path="/sub",
            arguments=("--connections", connections),
            connections=connections,
            unit="connection",
            is_quick=name == "idle-quick",
        )


def churn():
    return Work(
        name="churn",
        group="churn",
        title="connect, subscribe and close, 64 at a time",
        mode="churn",
        path="/sub",
        arguments=("--connections", 64),
        connections=64,
        unit="connection",
    )


def workers():
    """Few subscribers, so that sending does not drown the link; many
    publishers, so that about half of them are where the channel is not at
    home."""
    return Work(
        name="workers",
        group="workers",
        title="fan-out to 8, 16 publishers, 16 in flight each",
        mode="fanout",
        arguments=("--subscribers", 8, "--publishers", 16, "--in-flight", 16),
        connections=24,
        unit="delivery",
        peers=("tidewire", "tidewire-2"),
        counts_link=True,
        fan=8,
        times=2,
    )


def reloads():
    common = {"subscribers": 1000, "rate": 100, "peers": OURS}
    common |= {"group": "reload", "times": 2}
    return [
        steady("reload-none", "100 messages/s to 1,000, no reload", **common),
        steady("reload", "100 messages/s to 1,000, reload in the middle", reload=True, **common),
    ]


def everything():
    """The whole list, in the order of the tables."""
    works = [*echoes(), *fan_outs(), *steadies(), *rooms(), *idles()]
    return [*works, churn(), workers(), *reloads()]


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
