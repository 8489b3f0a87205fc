"""What will be run, and how long that takes.

A run that has been made before takes as long as then; others are estimated.

SPDX-License-Identifier: MIT
"""
import sys

from .peers import FDS

# What a server needs besides its connections.
SPARE_FDS = 200

GENERATOR_S = 0.3  # to start, to look at memory, to end
JOIN_S = 0.2  # until subscribers are known to be subscribed


def estimate(settings, work, peer):
    """The seconds of one run, roughly."""
    fixed = GENERATOR_S + peer.start_s + work.connections * peer.open_us / 1e6
    phases = settings.seconds * work.times
    if work.mode in ("fanout", "rooms"):
        phases += JOIN_S
    if work.mode != "idle":
        phases += settings.warmup
    if work.mode in ("fanout", "rooms", "idle"):
        phases += 2 * settings.settle
    return fixed + phases


class Plan:
    """(work, its peers), for what can be done here."""

    def __init__(self, works, peers, modes):
        self.entries = [
            (work, [peer for peer in peers if work.fits(peer, modes)])
            for work in works
            if can_run(work, modes)
        ]
        self.entries = [entry for entry in self.entries if entry[1]]

    def seconds(self, figures, settings, work, peers):
        """Of one round of a work."""
        return sum(
            figures.took(work.name, peer.name) or estimate(settings, work, peer)
            for peer in peers
        )

    def runs_left(self, figures, rounds):
        for number in range(rounds):
            for work, peers in self.entries:
                for peer in peers:
                    if not figures.has(work.name, peer.name, number):
                        yield work, peer

    def tell(self, figures, before, settings, rounds):
        """Prints it. `before` are figures whose runs tell how long they
        take."""
        total = 0
        for work, peers in self.entries:
            seconds = self.seconds(before, settings, work, peers)
            names = " ".join(peer.name for peer in peers)
            print(f"  {work.title:57} {seconds:5.0f} s  {names}")
        left = list(self.runs_left(figures, rounds))
        for work, peer in left:
            total += self.seconds(before, settings, work, [peer])
        print(
            f"{rounds} round{'s' if rounds > 1 else ''}, {len(left)} runs, about "
            f"{total / 60:.0f} minutes",
            flush=True,
        )


def can_run(work, modes):
    if work.connections + SPARE_FDS > FDS:
        print(
            f"without {work.title}: {work.connections:,} connections, but "
            f"{FDS:,} descriptors (ulimit -n)",
            file=sys.stderr,
        )
    elif work.mode not in modes:
        print(f"without {work.title}: the generator lacks it", file=sys.stderr)
    else:
        return True
    return False
