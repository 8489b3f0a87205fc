"""The small table of the front page, in its two languages.

SPDX-License-Identifier: MIT
"""
from .figures import BUN, OURS
from .table import number, table

ROWS = (
    ("echo-1-text", "cpu", "µs"),
    ("echo-16-text", "cpu", "µs"),
    ("fanout-1000-64-1", "cpu", "µs"),
    ("fanout-1000-64-16", "cpu", "µs"),
    ("fanout-10000-64-16", "cpu", "µs"),
    ("rooms-100", "cpu", "µs"),
    ("steady-1000", "p99", "ms"),
    ("idle", "memory", "B"),
)

ENGLISH = {
    "head": ("64 B messages", "Tidewire", "floor", "to the floor", "uWebSockets"),
    "echo-1-text": "echo through a Lua hook, 1 in flight",
    "echo-16-text": "echo through a Lua hook, 16 in flight",
    "fanout-1000-64-1": "fan-out to 1,000, one at a time, a delivery",
    "fanout-1000-64-16": "fan-out to 1,000, bursts of 16, a delivery",
    "fanout-10000-64-16": "fan-out to 10,000, bursts of 16, a delivery",
    "rooms-100": "100 rooms of 100, everybody talks, a delivery",
    "steady-1000": "p99 at 40,000 deliveries a second to 1,000",
    "idle": "memory of an idle subscribed connection",
    "note": "Medians of {rounds} rounds on {date}: {cpu}, {cores} cores, Linux "
    "{kernel}. {versions}.",
}

CHINESE = {
    "head": ("64 字节消息", "Tidewire", "下限", "与下限之比", "uWebSockets"),
    "echo-1-text": "经 Lua 钩子回显，1 条在途",
    "echo-16-text": "经 Lua 钩子回显，16 条在途",
    "fanout-1000-64-1": "扇出到 1,000 个订阅者，逐条，每次投递",
    "fanout-1000-64-16": "扇出到 1,000 个订阅者，每批 16 条，每次投递",
    "fanout-10000-64-16": "扇出到 10,000 个订阅者，每批 16 条，每次投递",
    "rooms-100": "100 个房间各 100 人，人人发言，每次投递",
    "steady-1000": "每秒向 1,000 个订阅者投递 40,000 次时的 p99",
    "idle": "空闲已订阅连接的内存",
    "note": "{date} 测得的 {rounds} 轮中位数：{cpu}，{cores} 核，Linux {kernel}。"
    "{versions}。",
}

OTHERS = ("gorilla", "nchan")


class Summary:
    """Renders it; `words` are one language's."""

    def __init__(self, figures, words):
        self.figures, self.words = figures, words

    def cell(self, work, peer, name, unit):
        value = self.figures.median(work, peer, name) if peer else None
        return f"{number(value)} {unit}" if value is not None else "–"

    def row(self, work, name, unit):
        floor = self.figures.floor(work, name)
        ratio = self.figures.ratio(work, OURS, floor) if name == "cpu" else None
        cells = [self.cell(work, peer, name, unit) for peer in (OURS, floor)]
        cells.append(f"{ratio:.2f}" if ratio else "")
        peers = (BUN, *OTHERS)
        cells += [self.cell(work, peer, name, unit) for peer in peers]
        return [self.words[work], *cells]

    def note(self):
        peers = (OURS, BUN, *OTHERS)
        versions = [self.figures.versions.get(peer, "") for peer in peers]
        versions[0] = f"Tidewire {versions[0]}".strip()
        return self.words["note"].format(
            rounds=self.figures.settings["rounds"],
            versions="; ".join(version for version in versions if version),
            **{k: self.figures.machine[k] for k in ("date", "cpu", "cores", "kernel")},
        )

    def markdown(self):
        titles = [self.figures.titles.get(peer, peer) for peer in OTHERS]
        rows = [self.row(*row) for row in ROWS]
        return table([*self.words["head"], *titles], rows) + "\n\n" + self.note()
