"""Dot plots on a logarithmic axis, as SVG.

One row for each server, one colour for each series. A logarithmic axis has no
zero, so there are dots and no bars.

SPDX-License-Identifier: MIT
"""
import math
from xml.sax.saxutils import escape

WIDTH = 760
LEFT, RIGHT = 170, 30
TOP, ROW, BOTTOM = 74, 26, 44
COLOURS = ("#1f77b4", "#d9730d", "#2a9d6f", "#8a5cc2")

STYLE = """
text { font: 12px sans-serif; fill: #333 }
.title { font-size: 14px; font-weight: bold }
.axis, .end { font-size: 11px }
.end { text-anchor: end; font-size: 12px }
.axis { text-anchor: middle }
line { stroke: #ddd }
.row { stroke: #eee }
.paper { fill: #fff }
@media (prefers-color-scheme: dark) {
  text { fill: #ccc } line { stroke: #444 } .row { stroke: #333 }
  .paper { fill: #0d1117 }
}
"""


class Axis:
    """Maps values to x, from a round number below to one above."""

    def __init__(self, values):
        low, high = min(values), max(values)
        self.ticks = [t for t in ticks(low, high)]
        self.low, self.high = self.ticks[0], self.ticks[-1]

    def x(self, value):
        part = math.log(value / self.low) / math.log(self.high / self.low)
        return LEFT + part * (WIDTH - LEFT - RIGHT)


def ticks(low, high):
    """1, 2 and 5 times powers of ten, around low and high; powers alone when
    these would be too many."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    steps = (1, 2, 5) if last - first <= 4 else (1,)
    every = [s * 10.0**e for e in range(first - 1, last + 2) for s in steps]
    below = max(t for t in every if t <= low)
    above = min(t for t in every if t > high)
    return [t for t in every if below <= t <= above]


def plain(value):
    return f"{value:,.0f}" if value >= 1 else f"{value:.6f}".rstrip("0")


def text(x, y, content, kind=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}">{escape(content)}</text>'


def line(x1, y1, x2, y2, kind):
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
        f' class="{kind}"/>'
    )


def dot(x, y, colour, title):
    return (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{colour}">'
        f"<title>{escape(title)}</title></circle>"
    )


def legend(series):
    if len(series) < 2:
        return []
    x, parts = LEFT, []
    for index, name in enumerate(series):
        parts.append(dot(x, 46, COLOURS[index % len(COLOURS)], name))
        parts.append(text(x + 10, 50, name))
        x += 34 + 7 * len(name)
    return parts


def dots(title, unit, series, rows):
    """An SVG document, or None when there is nothing to show.

    `series` are names; `rows` are (server, values), a value for each of the
    series or None."""
    values = [v for _, row in rows for v in row if v is not None and v > 0]
    if not values:
        return None
    axis = Axis(values)
    foot = TOP + ROW * len(rows)
    height = foot + BOTTOM
    parts = [text(14, 22, title, "title"), *legend(series)]
    for tick in axis.ticks:
        parts.append(line(axis.x(tick), TOP - 8, axis.x(tick), foot, "tick"))
        parts.append(text(axis.x(tick), foot + 16, plain(tick), "axis"))
    parts.append(text((LEFT + WIDTH - RIGHT) / 2, foot + 34, unit, "axis"))
    for index, (server, row) in enumerate(rows):
        y = TOP + ROW * index + ROW / 2
        parts.append(line(LEFT, y, WIDTH - RIGHT, y, "row"))
        parts.append(text(LEFT - 12, y + 4, server, "end"))
        for number, value in enumerate(row):
            if value is not None and value > 0:
                name = f"{server}, {series[number]}: {value:.3g} {unit}"
                colour = COLOURS[number % len(COLOURS)]
                parts.append(dot(axis.x(value), y, colour, name))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"'
        f' width="{WIDTH}" height="{height}" role="img">\n'
        "<!-- Made by tests/bench/compare.py: not to be edited. -->\n"
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n"
        f'<rect class="paper" width="{WIDTH}" height="{height}"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )
