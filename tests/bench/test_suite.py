#!/usr/bin/env python3
"""Tests of the comparison suite: figures, pages and plots, without a server.

SPDX-License-Identifier: MIT
"""
import sys
import tempfile
import unittest
from pathlib import Path
from xml.etree import ElementTree

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

from suite import work
from suite.figures import Figures, cpu, memory, rate, trouble_of
from suite.page import Page, number, put
from suite.pictures import draw
from suite.plot import dots, ticks

LEDGER = ("intended", "received", "lost", "in_doubt", "doubled", "disordered", "damaged")


def report(cpu_us=1.0, clean=True, bottleneck=False, **ledger):
    return {
        "clean": clean,
        "messages_per_second": 1e6 / cpu_us,
        "generator_was_bottleneck": bottleneck,
        "latency_us": {"p50": 100, "p99": 200, "p99_9": 300, "max": 400},
        "server": {
            "cpu_us_per_message": cpu_us,
            "private_bytes_per_connection_held": 100 * cpu_us,
        },
        "ledger": {name: ledger.get(name, 0) for name in LEDGER},
        "disconnects": 0,
        "publisher_disconnects": 0,
        "failed": 0,
    }


def comparison(runs):
    """Figures of (work, peer, round, report)."""
    settings = {"rounds": 3, "seconds": 1, "warmup": 1}
    settings |= {"server_core": 0, "generator_core": 1}
    machine = {"date": "2020-01-01", "cpu": "a CPU", "cores": 2}
    machine |= {"memory_gib": 4, "kernel": "6", "system": "Debian"}
    machine |= {"congestion_control": "cubic"}
    figures = Figures(machine, settings)
    names = ("tidewire", "floor-merge", "bun", "gorilla", "nchan")
    figures.titles = {name: name.title() for name in names}
    for name, peer, round_number, outcome in runs:
        figures.add(name, peer, round_number, report=outcome)
    return figures


class Ratios(unittest.TestCase):
    def test_a_ratio_is_of_the_same_round(self):
        figures = comparison(
            [
                ("w", "tidewire", 0, report(2)),
                ("w", "floor-merge", 0, report(1)),
                ("w", "tidewire", 1, report(20)),
                ("w", "floor-merge", 1, report(10)),
                ("w", "tidewire", 2, report(3)),
            ]
        )
        self.assertEqual(figures.ratio("w", "tidewire", "floor-merge", cpu), 2)
        self.assertEqual(figures.median("w", "tidewire", cpu), 3)

    def test_there_is_no_ratio_without_a_common_round(self):
        figures = comparison(
            [("w", "tidewire", 0, report()), ("w", "bun", 1, report())]
        )
        self.assertIsNone(figures.ratio("w", "tidewire", "bun", cpu))

    def test_what_is_not_known_is_left_out(self):
        unknown = report()
        unknown["server"] = {}
        figures = comparison([("w", "tidewire", 0, unknown)])
        self.assertIsNone(figures.median("w", "tidewire", cpu))
        self.assertIsNone(figures.median("w", "tidewire", memory))
        self.assertEqual(figures.median("w", "tidewire", rate), 1e6)

    def test_a_failed_run_counts_for_nothing_but_is_told(self):
        figures = comparison([("w", "bun", 0, report(4))])
        figures.add("w", "bun", 1, failed="it fell over")
        self.assertEqual(figures.median("w", "bun", cpu), 4)
        self.assertEqual(figures.troubles(), [("w", "bun", "it fell over")])

    def test_what_is_saved_is_loaded(self):
        figures = comparison([("w", "bun", 0, report(4))])
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "deep", "figures.json")
            figures.save(path)
            self.assertEqual(Figures.load(path).__dict__, figures.__dict__)


class Troubles(unittest.TestCase):
    def test_a_clean_run_has_none(self):
        self.assertEqual(trouble_of(report()), "")

    def test_losses_and_doubles_are_named(self):
        unclean = report(clean=False, lost=1200, doubled=1)
        self.assertEqual(trouble_of(unclean), "1,200 lost, 1 doubled")


class Numbers(unittest.TestCase):
    def test_three_digits_count(self):
        values = (None, 0.1234, 1.234, 12.34, 123.4, 12345.6)
        wanted = ["", "0.12", "1.23", "12.3", "123", "12,346"]
        self.assertEqual([number(v) for v in values], wanted)


class Pages(unittest.TestCase):
    def figures(self):
        runs = []
        for name in ("echo-1-text", "fanout-1000-64-16", "steady-1000", "idle"):
            for peer, cost in (("tidewire", 1.5), ("floor-merge", 1), ("bun", 2)):
                limit = name == "echo-1-text"
                runs.append((name, peer, 0, report(cost, bottleneck=limit)))
        return comparison(runs)

    def test_ratios_and_marks_are_in_the_tables(self):
        text = Page(self.figures()).markdown({})
        self.assertIn("| echo, text, 1 in flight | round trip | 1.5 | 1.50 | 0.75 |", text)
        self.assertIn("| 1.5 (1.50) | 1 | 2 (2.00) |", text)
        self.assertIn("666,667 †", text)
        self.assertIn("| 15,000 idle subscribers | 150 | 100 | 200 |", text)
        self.assertNotIn("Two workers", text)

    def test_the_small_table_has_a_dash_where_nothing_was_measured(self):
        text = Page(self.figures()).readme()
        self.assertIn("| echo, 1 in flight | 1.5 µs | 1 µs | 2 µs | – | – |", text)
        self.assertIn("| memory of an idle subscriber | 150 B | 100 B | 200 B |", text)

    def test_only_what_is_between_the_markers_changes(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "page.md")
            path.write_text("a\n<!-- figures -->\nold\n<!-- /figures -->\nz\n")
            self.assertTrue(put(path, "new"))
            once = path.read_text()
            self.assertTrue(put(path, "new"))
            self.assertEqual(path.read_text(), once)
            self.assertEqual(
                once, "a\n<!-- figures -->\n\nnew\n\n<!-- /figures -->\nz\n"
            )

    def test_a_page_without_markers_is_left_alone(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "page.md")
            path.write_text("mine\n")
            self.assertFalse(put(path, "new"))
            self.assertEqual(path.read_text(), "mine\n")

    def test_plots_are_drawn_of_what_there_is(self):
        with tempfile.TemporaryDirectory() as folder:
            drawn = draw(self.figures(), Path(folder))
            self.assertEqual(len(drawn["cpu"]), 2)
            for name in sum(drawn.values(), []):
                ElementTree.parse(Path(folder, name))


class Plots(unittest.TestCase):
    def test_ticks_lie_around_the_values(self):
        for low, high in ((0.33, 6.4), (1, 1), (5, 17000), (0.001, 9e6)):
            marks = ticks(low, high)
            self.assertLessEqual(marks[0], low)
            self.assertGreater(marks[-1], high)
            self.assertLessEqual(len(marks), 16)

    def test_there_is_no_plot_of_nothing(self):
        self.assertIsNone(dots("t", "u", ["s"], [("a", [None]), ("b", [0])]))

    def test_names_are_escaped(self):
        svg = dots("a < b", "u", ["x & y"], [("<s>", [3])])
        self.assertIn("a < b", ElementTree.fromstring(svg).findtext(".//{*}title"))


class Works(unittest.TestCase):
    def test_names_are_unique_and_quick_ones_few(self):
        names = [item.name for item in work.everything()]
        self.assertEqual(len(names), len(set(names)))
        self.assertEqual(len(work.choose([], quick=True)), 5)

    def test_an_unknown_name_is_refused(self):
        with self.assertRaises(KeyError):
            work.choose(["fanuot"], quick=False)


if __name__ == "__main__":
    unittest.main()
