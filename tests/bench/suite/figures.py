"""From runs to figures: medians, and ratios within a round.

The file has a line for each run, with its figures (see digest.py) or the
reason why there are none.

SPDX-License-Identifier: MIT
"""
import json
from statistics import median

from .digest import trouble_of

FLOORS = ("floor-merge", "floor-single")
BUN, OURS = "bun", "tidewire"


class Figures:
    """What one comparison has brought so far."""

    def __init__(self, machine=None, settings=None):
        self.machine = machine or {}
        self.settings = settings or {}
        self.titles = {}  # by peer's name, in the order of the tables
        self.versions = {}
        self.skipped = {}  # by peer's name: why
        self.runs = []  # {"work", "peer", "round", "figures" or "failed"}
        self._at = {}  # by (work, peer): its runs

    @classmethod
    def load(cls, path):
        figures = cls()
        kept = json.loads(path.read_text())
        runs = kept.pop("runs")
        figures.__dict__.update(kept)
        for run in runs:
            figures._keep(run)
        return figures

    def text(self):
        """As it is kept in a file: a line for each run."""
        head = {
            name: value
            for name, value in self.__dict__.items()
            if name != "runs" and not name.startswith("_")
        }
        lines = ",\n".join(json.dumps(run, ensure_ascii=False) for run in self.runs)
        start = json.dumps(head, indent=1, ensure_ascii=False)[:-2]
        return f'{start},\n "runs": [\n{lines}\n ]\n}}\n'

    def save(self, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_text(self.text())
        part.replace(path)

    def _keep(self, run):
        self.runs.append(run)
        self._at.setdefault((run["work"], run["peer"]), []).append(run)

    def add(self, work, peer, number, **outcome):
        self._keep({"work": work, "peer": peer, "round": number, **outcome})

    def of(self, work, peer):
        """The runs of one peer at one work."""
        return self._at.get((work, peer), [])

    def has(self, work, peer, number):
        return any(run["round"] == number for run in self.of(work, peer))

    def by_round(self, work, peer, name):
        """One figure of each round that has it."""
        return {
            run["round"]: run["figures"][name]
            for run in self.of(work, peer)
            if name in run.get("figures", {})
        }

    def median(self, work, peer, name):
        """The median over the rounds; None when there is nothing."""
        values = self.by_round(work, peer, name).values()
        return median(values) if values else None

    def ratios(self, work, peer, base, name="cpu"):
        """`peer` to `base` in each round that has both."""
        mine, theirs = (self.by_round(work, p, name) for p in (peer, base))
        return [mine[n] / theirs[n] for n in mine if theirs.get(n, 0) > 0]

    def ratio(self, work, peer, base, name="cpu"):
        """The median of the ratios; None when there are none."""
        found = self.ratios(work, peer, base, name) if base else []
        return median(found) if found else None

    def floor(self, work, name="cpu"):
        """The better one of the floors at this work; None without any."""
        costs = {peer: self.median(work, peer, name) for peer in FLOORS}
        known = [peer for peer in FLOORS if costs[peer]]
        return min(known, key=costs.get) if known else None

    def link_costs(self, work, one, two):
        """What a message between workers costs, in µs, by round: how much more
        a publication takes with two workers, divided by the records it was in
        on the link."""
        cost = {}
        for peer in (one, two):
            cpu, share = (self.by_round(work, peer, n) for n in ("cpu", "fan"))
            cost[peer] = {n: cpu[n] * share[n] for n in cpu if n in share}
        records = self.by_round(work, two, "link_records")
        return [
            (cost[two][n] - cost[one][n]) / records[n]
            for n in cost[two]
            if n in cost[one] and records.get(n, 0) > 0
        ]

    def is_at_limit(self, work, peer):
        """Whether the generator was, in most of the runs."""
        runs = [run for run in self.of(work, peer) if "figures" in run]
        limits = sum(run["figures"].get("limit", 0) for run in runs)
        return limits * 2 > len(runs)

    def works(self):
        """The names of works that have runs."""
        return {work for work, _ in self._at}

    def peers(self):
        """The names of peers that have runs, in the order of the titles."""
        found = {peer for _, peer in self._at}
        return [peer for peer in self.titles if peer in found]

    def troubles(self):
        """What was not complete or could not be run: (work, peer, text)."""
        found = {}
        for run in self.runs:
            text = trouble_of(run)
            if text:
                key = (run["work"], run["peer"])
                count, _ = found.get(key, (0, ""))
                found[key] = (count + 1, text)
        return [
            (*key, text if count == 1 else f"{text} ({count} runs)")
            for key, (count, text) in found.items()
        ]

    def deliveries(self, peer):
        """How many messages were intended and received in its runs."""
        kept = [r["figures"] for r in self.runs if r["peer"] == peer and "figures" in r]
        return sum(f["intended"] for f in kept), sum(f["received"] for f in kept)

    def took(self, work, peer):
        """The seconds that a run took; None when there was none."""
        times = [run["took"] for run in self.of(work, peer) if "took" in run]
        return median(times) if times else None
