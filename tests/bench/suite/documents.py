"""Where the figures go: between the markers of the pages, into plots, and into
the file from which all of these can be made again.

SPDX-License-Identifier: MIT
"""
import sys

from .page import Page
from .pictures import draw
from .places import DATA, PAGE, PAGES, README, README_ZH
from .summary import CHINESE, ENGLISH, Summary

OPENED, CLOSED = "<!-- figures -->", "<!-- /figures -->"


def put(page, body):
    """`page` with `body` between its markers; None when it has none."""
    head, opened, rest = page.partition(OPENED)
    _, closed, tail = rest.partition(CLOSED)
    if not opened or not closed:
        return None
    return f"{head}{OPENED}\n\n{body}\n\n{CLOSED}{tail}"


def rendered(figures):
    """(path, text) of every document as the figures want it; the text of a
    page without markers is None."""
    pictures = draw(figures)
    for named in pictures.values():
        for name, svg in named.items():
            yield PAGES / name, svg
    names = {group: list(named) for group, named in pictures.items()}
    yield PAGE, put(PAGE.read_text(), Page(figures).markdown(names))
    for path, words in ((README, ENGLISH), (README_ZH, CHINESE)):
        yield path, put(path.read_text(), Summary(figures, words).markdown())
    yield DATA, figures.text()


def update(figures):
    """Writes them. False when a page has lost its markers."""
    is_fine = True
    for path, text in rendered(figures):
        if text is None:
            print(f"{path.name} lacks its markers {OPENED}", file=sys.stderr)
            is_fine = False
        else:
            path.write_text(text)
    return is_fine
