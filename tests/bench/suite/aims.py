"""What is aimed at, and whether it is met.

Ratios are of server CPU time to the cheaper one of the floors, in the same
round; the aim holds for their median.

SPDX-License-Identifier: MIT
"""
from dataclasses import dataclass
from statistics import median

from .figures import BUN, OURS
from .table import number, spread, table


@dataclass(frozen=True)
class Aim:
    """`figure` of a work is at most `limit`: of `unit`, or times the floor's
    when there is none."""

    title: str
    work: str
    limit: float
    figure: str = "cpu"
    unit: str = ""
    is_lossless: bool = False  # and nothing may be lost


AIMS = (
    Aim("fan-out to 1,000, one in flight", "fanout-1000-64-1", 1.05),
    Aim("fan-out to 1,000, bursts of 16", "fanout-1000-64-16", 1.08),
    Aim("fan-out to 10,000, bursts of 16", "fanout-10000-64-16", 1.08),
    Aim("echo through a Lua hook, one in flight", "echo-1-text", 1.03),
    Aim("echo through a Lua hook, 16 in flight", "echo-16-text", 1.6),
    Aim(
        "100 subscribers, 2,000 messages a second, `batch` of 1 ms",
        "steady-100-held",
        2.2,
        unit="µs",
        is_lossless=True,
    ),
    Aim(
        "idle subscribed connection with heartbeat, user memory",
        "idle",
        250,
        figure="memory",
        unit="B",
    ),
    Aim(
        "p99 at 40,000 deliveries a second to 1,000",
        "steady-1000",
        7,
        figure="p99",
        unit="ms",
    ),
)

LINK = Aim(
    "publication from worker A delivered by worker B: its link, a message",
    "workers",
    1,
    figure="link",
    unit="µs",
    is_lossless=True,
)


def ratio(value):
    return f"{value:.2f}"


class Measured:
    """What the figures say to one aim."""

    def __init__(self, figures, aim):
        self.figures, self.aim = figures, aim
        self.floor = figures.floor(aim.work, aim.figure)

    def of(self, peer):
        """The values of all rounds."""
        f, aim = self.figures, self.aim
        if aim.figure == "link":
            return f.link_costs(aim.work, OURS, "tidewire-2") if peer == OURS else []
        if aim.unit:
            return list(f.by_round(aim.work, peer, aim.figure).values())
        return f.ratios(aim.work, peer, self.floor) if self.floor else []

    def lossy(self):
        return any(
            work == self.aim.work and peer.startswith(OURS)
            for work, peer, _ in self.figures.troubles()
        )

    def cell(self, peer, with_spread=False):
        values = self.of(peer) if peer else []
        if not values:
            return ""
        form = number if self.aim.unit else ratio
        unit = f" {self.aim.unit}" if self.aim.unit else ""
        more = spread(values, form) if with_spread else ""
        return f"{form(median(values))}{unit}{more}"

    def floor_cell(self):
        if self.aim.unit:
            return self.cell(self.floor)
        cost = self.figures.median(self.aim.work, self.floor, "cpu")
        return f"1 = {number(cost)} µs" if cost else ""

    def wanted(self):
        form = number(self.aim.limit) if self.aim.unit else ratio(self.aim.limit)
        text = f"at most {form} {self.aim.unit}".rstrip()
        return text + (", nothing lost" if self.aim.is_lossless else "")

    def verdict(self):
        values = self.of(OURS)
        if not values:
            return "not measured"
        if self.aim.is_lossless and self.lossy():
            return "no, something was lost"
        return "yes" if median(values) <= self.aim.limit else "no"


def aims_table(figures):
    rows = []
    for aim in (*AIMS, LINK):
        measured = Measured(figures, aim)
        rows.append(
            [
                aim.title,
                measured.floor_cell(),
                measured.cell(BUN),
                measured.cell(OURS, with_spread=True),
                measured.wanted(),
                measured.verdict(),
            ]
        )
    head = ["work, 64 B", "floor", "uWebSockets", "Tidewire", "aim", "met"]
    return table(head, rows)
