"""Numbers and tables as Markdown.

SPDX-License-Identifier: MIT
"""


def number(value):
    """Three digits that count."""
    if value is None:
        return ""
    if abs(value) >= 99.95:
        return f"{value:,.0f}"
    return f"{value:#.3g}" if value else "0"


def spread(values, form=number):
    """"low–high" of several values, in brackets; "" of fewer."""
    if len(values) < 2:
        return ""
    return f" ({form(min(values))}–{form(max(values))})"


def table(head, rows, texts=1):
    """A Markdown table; all but the first `texts` columns are numbers."""
    rule = ["---"] * texts + ["---:"] * (len(head) - texts)
    lines = [head, rule, *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
