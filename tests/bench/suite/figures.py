"""From runs to figures: medians, and ratios within a round.

The records are what compare.py keeps in its file: one for each run, with the
generator's report or the reason why there is none.

SPDX-License-Identifier: MIT
"""
import json
from statistics import median


def cpu(report):
    """Server CPU in microseconds per message; None when unknown."""
    return report.get("server", {}).get("cpu_us_per_message")


def rate(report):
    return report["messages_per_second"]


def memory(report):
    """User memory of the server in bytes per connection."""
    return report.get("server", {}).get("private_bytes_per_connection_held")


def latency_ms(point):
    """A reader of a percentile: "p50", "p99", "p99_9", "max"."""
    return lambda report: report["latency_us"][point] / 1000


class Figures:
    """What one comparison has brought so far."""

    def __init__(self, machine=None, settings=None):
        self.machine = machine or {}
        self.settings = settings or {}
        self.versions = {}  # by peer's name
        self.titles = {}
        self.skipped = {}  # by peer's name: why
        self.runs = []  # {"work", "peer", "round", "report" or "failed"}

    @classmethod
    def load(cls, path):
        figures = cls()
        figures.__dict__.update(json.loads(path.read_text()))
        return figures

    def save(self, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_text(json.dumps(self.__dict__, indent=1) + "\n")
        part.replace(path)

    def has(self, work, peer, number):
        return any(
            (run["work"], run["peer"], run["round"]) == (work, peer, number)
            for run in self.runs
        )

    def add(self, work, peer, number, **outcome):
        self.runs.append({"work": work, "peer": peer, "round": number, **outcome})

    def of(self, work, peer):
        """The runs of one peer at one work."""
        return [r for r in self.runs if r["work"] == work and r["peer"] == peer]

    def by_round(self, work, peer, read):
        """What `read` finds in the reports, by round."""
        values = {}
        for run in self.of(work, peer):
            value = read(run["report"]) if "report" in run else None
            if value is not None:
                values[run["round"]] = value
        return values

    def median(self, work, peer, read):
        """The median over the rounds; None when there is nothing."""
        values = self.by_round(work, peer, read).values()
        return median(values) if values else None

    def ratio(self, work, peer, base, read):
        """The median of the rounds' ratios to `base`, which ran in the same
        round; None when there is no round of both."""
        mine, theirs = (self.by_round(work, p, read) for p in (peer, base))
        ratios = [mine[n] / theirs[n] for n in mine if theirs.get(n, 0) > 0]
        return median(ratios) if ratios else None

    def is_bottleneck(self, work, peer):
        """Whether the generator was, in most of the runs."""
        flags = self.by_round(
            work, peer, lambda r: int(r["generator_was_bottleneck"])
        ).values()
        return bool(flags) and median(flags) > 0.5

    def works(self):
        """The names of works that have runs."""
        return {run["work"] for run in self.runs}

    def peers(self):
        """The names of peers that have runs, in the order of the titles."""
        found = {run["peer"] for run in self.runs}
        return [peer for peer in self.titles if peer in found]

    def troubles(self):
        """What was not complete or could not be run: (work, peer, text)."""
        found = {}
        for run in self.runs:
            text = run.get("failed") or trouble_of(run["report"])
            if text:
                key = (run["work"], run["peer"])
                count, _ = found.get(key, (0, ""))
                found[key] = (count + 1, text)
        return [
            (*key, text if count == 1 else f"{text} ({count} runs)")
            for key, (count, text) in found.items()
        ]

    def deliveries(self):
        """How many messages were intended and received, over all runs."""
        ledgers = [run["report"]["ledger"] for run in self.runs if "report" in run]
        return (
            sum(ledger["intended"] for ledger in ledgers),
            sum(ledger["received"] for ledger in ledgers),
        )


def trouble_of(report):
    """Why a run was not clean, in a few words; "" when it was."""
    if report["clean"]:
        return ""
    ledger = report["ledger"]
    counts = {key: ledger[key] for key in ("lost", "doubled", "disordered", "damaged")}
    counts["connections lost"] = report["disconnects"] + report["publisher_disconnects"]
    counts["not opened"] = report["failed"]
    return ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)
