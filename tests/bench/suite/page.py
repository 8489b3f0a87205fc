"""The figures as Markdown, and where they go: between the markers of a page.

SPDX-License-Identifier: MIT
"""
from . import figures as read
from .work import everything

OPENED, CLOSED = "<!-- figures -->", "<!-- /figures -->"
FLOOR, BUN, OURS = "floor-merge", "bun", "tidewire"

STEADY = ("steady-1000", "steady-100", "steady-100-batch")


def number(value):
    """Three digits that count."""
    if value is None:
        return ""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value >= 1 else f"{value:.2f}"


def table(head, rows, texts=1):
    """A Markdown table; all but the first `texts` columns are numbers."""
    rule = ["---"] * texts + ["---:"] * (len(head) - texts)
    lines = [head, rule, *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


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

    def cell(self, work, peer, value, with_ratio=False):
        """A median, with its ratio to the floor and a mark when the generator
        was the limit."""
        median = self.figures.median(work, peer, value)
        if median is None:
            return ""
        out = number(median)
        ratio = self.figures.ratio(work, peer, FLOOR, value)
        if with_ratio and ratio is not None and not peer.startswith("floor"):
            out += f" ({ratio:.2f})"
        if value is read.rate and self.figures.is_bottleneck(work, peer):
            out += " †"
        return out

    def matrix(self, works, value, with_ratio=False):
        rows = [
            [work.title, *(self.cell(work.name, p, value, with_ratio) for p in self.peers)]
            for work in works
        ]
        return table(["", *self.titles()], [row for row in rows if any(row[1:])])

    def machine(self):
        machine, settings = self.figures.machine, self.figures.settings
        versions = "; ".join(
            f"{self.figures.titles[peer]}: {version}" if peer == OURS else version
            for peer, version in self.figures.versions.items()
            if version and peer in self.peers
        )
        return (
            f"Measured on {machine['date']}: {machine['cpu']}, {machine['cores']} "
            f"cores, {machine['memory_gib']} GiB, Linux {machine['kernel']}, "
            f"{machine['system']}, TCP {machine['congestion_control']}. "
            f"{versions}.\n\n"
            f"Server pinned to core {settings['server_core']}, generator to core "
            f"{settings['generator_core']}; {settings['rounds']} rounds, all servers "
            f"in each, {settings['seconds']:g} s measured after {settings['warmup']:g} s "
            "of the same load, a fresh server for every run. Medians; ratios are "
            "taken within a round."
        )

    def against(self):
        """Ours, and its ratios."""
        rows = []
        for work in self.of_group("echo", "fanout", "steady", "rooms", "churn"):
            value = self.figures.median(work.name, OURS, read.cpu)
            ratios = [
                self.figures.ratio(work.name, OURS, base, read.cpu)
                for base in (FLOOR, BUN)
            ]
            if value is not None and any(ratios):
                cells = [f"{ratio:.2f}" if ratio else "" for ratio in ratios]
                rows.append([work.title, work.unit, number(value), *cells])
        head = ["", "per", "Tidewire, µs", "× floor", "× uWebSockets"]
        return table(head, rows, texts=2) if rows else ""

    def latency(self):
        points = (("p50", "p50"), ("p99", "p99"), ("p99_9", "p99.9"), ("max", "max"))
        rows = []
        for work in self.of_group("steady"):
            for peer in self.peers:
                values = [
                    self.figures.median(work.name, peer, read.latency_ms(point))
                    for point, _ in points
                ]
                if values[0] is not None:
                    title = self.figures.titles[peer]
                    cpu = self.figures.median(work.name, peer, read.cpu)
                    cells = [number(v) for v in (*values, cpu)]
                    rows.append([work.title, title, *cells])
        head = ["", "", *(f"{title}, ms" for _, title in points), "CPU µs"]
        return table(head, rows, texts=2) if rows else ""

    def link(self):
        """What a second worker costs: all of it, per publication."""
        (one, two) = (
            self.figures.median("workers", peer, read.cpu)
            for peer in (OURS, "tidewire-2")
        )
        if one is None or two is None:
            return ""
        work = next(work for work in self.works if work.name == "workers")
        subscribers = work.connections - 4
        return (
            f"{work.title[0].upper()}{work.title[1:]}: {number(one)} µs per delivery "
            f"with one worker, {number(two)} µs with two on the same core, where half "
            "of the subscribers hang on another worker than the channel's home. That "
            f"is {number((two - one) * subscribers)} µs more per publication."
        )

    def reload(self):
        rows = []
        for work in self.of_group("reload"):
            readers = [read.latency_ms(p) for p in ("p50", "p99", "p99_9", "max")]
            readers.append(lambda report: report.get("reload_ms"))
            values = [self.figures.median(work.name, OURS, r) for r in readers]
            rows.append([work.title, *map(number, values)])
        head = ["", "p50, ms", "p99, ms", "p99.9, ms", "max, ms", "reload, ms"]
        return table(head, rows) if rows else ""

    def completeness(self):
        intended, received = self.figures.deliveries()
        out = f"{received:,} of {intended:,} messages arrived, all runs together."
        troubles = self.figures.troubles()
        if not troubles:
            return out + " No run lost, doubled, disordered or damaged any."
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

    def cpu(self):
        works = [w for w in self.works if w.group not in ("workers", "reload", "idle")]
        return self.matrix(works, read.cpu, with_ratio=True)

    def throughput(self):
        return self.matrix(self.of_group("echo", "fanout", "rooms", "churn"), read.rate)

    def markdown(self, pictures):
        """All of it; `pictures` are those that exist, by group."""
        sections = [
            ("", self.machine(), None),
            ("", self.skipped(), None),
            ("Against the floor and uWebSockets", self.against(), None),
            ("Server CPU, µs per message (ratio to the floor)", self.cpu(), "cpu"),
            ("Messages per second", self.throughput(), None),
            ("Latency at a steady rate", self.latency(), "latency"),
            (
                "User memory, bytes per idle subscriber",
                self.matrix(self.of_group("idle"), read.memory),
                "memory",
            ),
            ("Two workers", self.link(), None),
            ("A reload in the middle", self.reload(), None),
            ("Completeness", self.completeness(), None),
        ]
        parts = []
        for title, body, picture in sections:
            if body:
                parts += [f"### {title}"] if title else []
                parts += [
                    f"![{title}]({file})" for file in pictures.get(picture, [])
                ]
                parts.append(body)
                parts += [NOTES[title]] if title in NOTES else []
        return "\n\n".join(parts)

    def readme(self):
        """The small table."""
        peers = [OURS, FLOOR, BUN, "gorilla", "nchan"]
        works = [
            ("echo-1-text", "echo, 1 in flight", read.cpu, "µs"),
            ("echo-16-text", "echo, 16 in flight", read.cpu, "µs"),
            ("fanout-1000-64-16", "fan-out to 1,000, bursts of 16", read.cpu, "µs"),
            ("fanout-10000-64-16", "fan-out to 10,000, bursts of 16", read.cpu, "µs"),
            ("idle", "memory of an idle subscriber", read.memory, "B"),
        ]
        head = ["", "Tidewire", "floor", "uWebSockets in Bun", "gorilla", "Nchan"]
        rows = []
        for name, title, value, unit in works:
            medians = [self.figures.median(name, peer, value) for peer in peers]
            cells = [f"{number(m)} {unit}" if m is not None else "–" for m in medians]
            rows.append([title, *cells])
        return table(head, rows)


NOTES = {
    "Server CPU, µs per message (ratio to the floor)": "The floor is the gathering "
    "one: one send per socket and turn. It knows no rooms. Nchan has neither echo nor "
    "a way to leave out the sender.",
    "Messages per second": "† the generator was the limit, not the server. Nchan "
    "leaves Nagle's algorithm on: its bursts of larger messages wait for "
    "acknowledgements.",
    "Latency at a steady rate": "From the moment a message was due to its arrival "
    "at each of the subscribers.",
}


def put(path, body, fresh=""):
    """Replaces what stands between the markers of `path`; a page that is not
    there is made of `fresh` with its markers. False when it has none."""
    page = path.read_text() if path.exists() else fresh
    head, opened, rest = page.partition(OPENED)
    _, closed, tail = rest.partition(CLOSED)
    if not opened or not closed:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{head}{OPENED}\n\n{body}\n\n{CLOSED}{tail}")
    return True
