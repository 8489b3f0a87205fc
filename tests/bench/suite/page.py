"""The figures as Markdown: what stands between the markers of the page.

SPDX-License-Identifier: MIT
"""
from statistics import median

from .aims import aims_table
from .figures import BUN, FLOORS, OURS
from .table import number, spread, table
from .work import everything

POINTS = (("p50", "p50"), ("p99", "p99"), ("p99_9", "p99.9"))
LOADED = ("echo", "fanout", "steady", "rooms", "churn")


class Page:
    """Renders one comparison."""

    def __init__(self, figures):
        self.figures = figures
        done = figures.works()
        self.works = [work for work in everything() if work.name in done]
        self.peers = [p for p in figures.peers() if p != "tidewire-2"]

    def titles(self):
        return [self.figures.titles[peer] for peer in self.peers]

    def of_group(self, *groups):
        return [work for work in self.works if work.group in groups]

    def cell(self, work, peer, name, with_ratio=False):
        """A median, with its ratio to the floor and a mark when the generator
        was the limit."""
        value = self.figures.median(work, peer, name)
        if value is None:
            return ""
        out = number(value)
        ratio = self.figures.ratio(work, peer, self.figures.floor(work, name), name)
        if with_ratio and ratio is not None and peer not in FLOORS:
            out += f" ({ratio:.2f})"
        if name == "rate" and self.figures.is_at_limit(work, peer):
            out += " †"
        return out

    def matrix(self, works, name, with_ratio=False):
        rows = [
            [work.title, *(self.cell(work.name, p, name, with_ratio) for p in self.peers)]
            for work in works
        ]
        rows = [row for row in rows if any(row[1:])]
        return table(["", *self.titles()], rows) if rows else ""

    def machine(self):
        machine, settings = self.figures.machine, self.figures.settings
        versions = "; ".join(
            f"{self.figures.titles[peer]}: {version}" if peer == OURS else version
            for peer, version in self.figures.versions.items()
            if version and peer in self.peers
        )
        rounds = settings["rounds"]
        return (
            f"Measured on {machine['date']}: {machine['cpu']}, {machine['cores']} "
            f"cores, {machine['memory_gib']} GiB, Linux {machine['kernel']}, "
            f"{machine['system']}, TCP {machine['congestion_control']}. "
            f"{versions}.\n\n"
            f"Server pinned to core {settings['server_core']}, generator to core "
            f"{settings['generator_core']}; {rounds} round{'s' if rounds > 1 else ''}, "
            f"all servers in each; {settings['seconds']:g} s measured (up to three "
            f"times that where a burst takes long) after {settings['warmup']:g} s of "
            "the same load; a fresh server for every run. Medians; ratios are taken "
            "within a round; in brackets behind an aim the smallest and the largest "
            "round."
        )

    def ours(self):
        """Every work of ours: costs, ratios, percentiles."""
        rows = []
        for work in self.of_group(*LOADED):
            value = self.figures.median(work.name, OURS, "cpu")
            if value is None:
                continue
            bases = (self.figures.floor(work.name), BUN)
            ratios = [self.figures.ratio(work.name, OURS, base) for base in bases]
            points = [self.figures.median(work.name, OURS, p) for p, _ in POINTS]
            rows.append(
                [
                    work.title,
                    work.unit,
                    number(value),
                    *(f"{ratio:.2f}" if ratio else "" for ratio in ratios),
                    self.cell(work.name, OURS, "rate"),
                    *map(number, points),
                ]
            )
        head = ["", "per", "CPU, µs", "× floor", "× uWebSockets", "a second"]
        head += [f"{title}, ms" for _, title in POINTS]
        return table(head, rows, texts=2) if rows else ""

    def loaded(self):
        """Percentiles of all where the next burst waits for the last one."""
        rows = []
        for work in self.of_group("echo", "fanout", "rooms"):
            cells = []
            for peer in self.peers:
                values = [self.figures.median(work.name, peer, p) for p, _ in POINTS]
                known = values[0] is not None
                cells.append(" / ".join(map(number, values)) if known else "")
            rows.append([work.title, *cells])
        rows = [row for row in rows if any(row[1:])]
        return table(["", *self.titles()], rows) if rows else ""

    def latency(self):
        rows = []
        for work in self.of_group("steady"):
            for peer in self.peers:
                names = [point for point, _ in POINTS] + ["max", "cpu"]
                values = [self.figures.median(work.name, peer, n) for n in names]
                if values[0] is not None:
                    title = self.figures.titles[peer]
                    rows.append([work.title, title, *map(number, values)])
        head = ["", "", *(f"{title}, ms" for _, title in POINTS), "max, ms", "CPU, µs"]
        return table(head, rows, texts=2) if rows else ""

    def link(self):
        """What the second worker costs."""
        costs = self.figures.link_costs("workers", OURS, "tidewire-2")
        if not costs:
            return ""
        work = next(work for work in self.works if work.name == "workers")
        per = {
            peer: self.figures.median(work.name, peer, "cpu") * work.fan
            for peer in (OURS, "tidewire-2")
        }
        records = self.figures.median(work.name, "tidewire-2", "link_records")
        return (
            f"{work.title[0].upper()}{work.title[1:]}: {number(per[OURS])} µs per "
            f"publication with one worker, {number(per['tidewire-2'])} µs with two "
            f"on the same core. A publication crosses the link {number(records)} "
            "times then: to the channel's home, when its publisher is elsewhere, "
            "and from there to the other worker's subscribers. The difference is "
            f"{number(median(costs))} µs{spread(costs)} for each message on the link, "
            "waking the other process, reading it there and the second worker's own "
            "sends included."
        )

    def reload(self):
        rows = []
        for work in self.of_group("reload"):
            names = [point for point, _ in POINTS] + ["max", "reload"]
            values = [self.figures.median(work.name, OURS, name) for name in names]
            rows.append([work.title, *map(number, values)])
        head = ["", *(f"{title}, ms" for _, title in POINTS), "max, ms", "reload, ms"]
        return table(head, rows) if rows else ""

    def completeness(self):
        intended, received = self.figures.deliveries(OURS)
        out = (
            f"Tidewire: {received:,} of {intended:,} messages arrived, all runs "
            "together."
        )
        troubles = self.figures.troubles()
        if not troubles:
            return out + " No run of any server lost, doubled, disordered or damaged any."
        titles = {work.name: work.title for work in self.works}
        lines = [
            f"* {self.figures.titles[peer]}, {titles.get(work, work)}: {text}"
            for work, peer, text in troubles
        ]
        return out + " Not everything was in order:\n\n" + "\n".join(lines)

    def skipped(self):
        return "\n".join(
            f"Not measured: {self.figures.titles.get(peer, peer)} ({why})."
            for peer, why in self.figures.skipped.items()
        )

    def markdown(self, pictures):
        """All of it; `pictures` are the names of those that exist, by
        group."""
        sections = [
            ("", self.machine(), None),
            ("", self.skipped(), None),
            ("Aims", aims_table(self.figures), None),
            ("Tidewire, work by work", self.ours(), None),
            (CPU, self.matrix(self.of_group(*LOADED), "cpu", with_ratio=True), "cpu"),
            (
                RATE,
                self.matrix(self.of_group("echo", "fanout", "rooms", "churn"), "rate"),
                None,
            ),
            (LATENCY, self.latency(), "latency"),
            (LOADED_LATENCY, self.loaded(), None),
            (MEMORY, self.matrix(self.of_group("idle"), "memory"), "memory"),
            ("Two workers", self.link(), None),
            ("A reload in the middle", self.reload(), None),
            ("Completeness", self.completeness(), None),
        ]
        parts = []
        for title, body, picture in sections:
            if body:
                parts += [f"### {title}"] if title else []
                parts += [f"![{title}]({name})" for name in pictures.get(picture, [])]
                parts.append(body)
                parts += [NOTES[title]] if title in NOTES else []
        return "\n\n".join(parts)


CPU = "Server CPU, µs per message (ratio to the floor)"
RATE = "Messages per second"
LATENCY = "Latency at a steady rate"
LOADED_LATENCY = "Latency under full load, ms: p50 / p99 / p99.9"
MEMORY = "User memory, bytes per idle subscriber"

NOTES = {
    CPU: "The ratio is to the cheaper one of the two floors. Nchan has neither echo "
    "nor a way to leave out the sender. Works which ws and python3-websockets lack "
    "are left out for time.",
    RATE: "† the generator was the limit, not the server. Nchan leaves Nagle's "
    "algorithm on: its bursts of larger messages wait for acknowledgements.",
    LATENCY: "From the moment a message was due to its arrival at each of the "
    "subscribers.",
    LOADED_LATENCY: "How long a burst takes to arrive everywhere, no more.",
}
