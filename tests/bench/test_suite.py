#!/usr/bin/env python3
"""Tests of the comparison suite: figures, aims, pages, plots and plans, without
a server.

SPDX-License-Identifier: MIT
"""
import io
import re
import sys
import tempfile
import unittest
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

from suite import work
from suite.aims import AIMS, LINK, Measured, aims_table
from suite.digest import digest, trouble_of
from suite.documents import put, rendered
from suite.figures import Figures
from suite.page import Page
from suite.peers import Peer, everyone
from suite.pictures import draw
from suite.places import DATA, PEERS
from suite.plan import Plan, estimate
from suite.plot import dots, ticks
from suite.summary import CHINESE, ENGLISH, ROWS, Summary
from suite.table import number, spread

LEDGER = ("intended", "received", "lost", "in_doubt", "doubled", "disordered", "damaged")


def report(cpu_us=1.0, clean=True, bottleneck=False, **ledger):
    """What `tidewire bench --json` says."""
    return {
        "clean": clean,
        "messages_per_second": 1e6 / cpu_us,
        "generator_was_bottleneck": bottleneck,
        "generator_cores": 0.5,
        "latency_us": {"count": 9, "p50": 100, "p99": 200, "p99_9": 300, "max": 400},
        "server": {
            "cpu_us_per_message": cpu_us,
            "private_bytes_per_connection_held": 100 * cpu_us,
        },
        "ledger": {name: ledger.get(name, 0) for name in LEDGER},
        "disconnects": 0,
        "publisher_disconnects": 0,
        "failed": 0,
    }


def kept(*arguments, more=None, **keywords):
    return digest(report(*arguments, **keywords)) | (more or {})


def comparison(runs):
    """Figures of (work, peer, round, kept figures)."""
    settings = {"rounds": 3, "seconds": 1, "warmup": 1}
    settings |= {"server_core": 0, "generator_core": 1}
    machine = {"date": "2020-01-01", "cpu": "a CPU", "cores": 2}
    machine |= {"memory_gib": 4, "kernel": "6", "system": "Debian"}
    machine |= {"congestion_control": "cubic"}
    figures = Figures(machine, settings)
    names = ("tidewire", "floor-merge", "floor-single", "bun", "gorilla", "nchan")
    figures.titles = {name: name.title() for name in (*names, "tidewire-2")}
    figures.versions = {"tidewire": "1.2", "bun": "Bun 3"}
    for name, peer, round_number, outcome in runs:
        figures.add(name, peer, round_number, figures=outcome, took=2.0)
    return figures


class Digests(unittest.TestCase):
    def test_four_digits_and_milliseconds_are_kept(self):
        figures = kept(1.23456, intended=5, received=5)
        self.assertEqual(figures["cpu"], 1.235)
        self.assertEqual(figures["p99"], 0.2)
        self.assertEqual(figures["memory"], 123.5)
        self.assertEqual(figures["received"], 5)
        self.assertNotIn("limit", figures)
        self.assertNotIn("troubles", figures)

    def test_what_is_not_known_is_left_out(self):
        unknown = report()
        unknown["server"] = {}
        unknown["latency_us"] = {"count": 0}
        figures = digest(unknown)
        for name in ("cpu", "memory", "p50"):
            self.assertNotIn(name, figures)

    def test_losses_and_doubles_are_named(self):
        unclean = kept(clean=False, lost=1200, doubled=1)
        self.assertEqual(trouble_of({"figures": unclean}), "1,200 lost, 1 doubled")

    def test_a_run_that_ended_early_says_so(self):
        self.assertEqual(trouble_of({"figures": kept(clean=False)}), "ended early")

    def test_a_clean_run_has_no_trouble(self):
        self.assertEqual(trouble_of({"figures": kept()}), "")


class Ratios(unittest.TestCase):
    def test_a_ratio_is_of_the_same_round(self):
        figures = comparison(
            [
                ("w", "tidewire", 0, kept(2)),
                ("w", "floor-merge", 0, kept(1)),
                ("w", "tidewire", 1, kept(20)),
                ("w", "floor-merge", 1, kept(10)),
                ("w", "tidewire", 2, kept(3)),
            ]
        )
        self.assertEqual(figures.ratio("w", "tidewire", "floor-merge"), 2)
        self.assertEqual(figures.median("w", "tidewire", "cpu"), 3)

    def test_there_is_no_ratio_without_a_common_round(self):
        runs = [("w", "tidewire", 0, kept()), ("w", "bun", 1, kept())]
        self.assertIsNone(comparison(runs).ratio("w", "tidewire", "bun"))

    def test_the_cheaper_floor_is_the_floor(self):
        runs = [("w", "floor-merge", 0, kept(2)), ("w", "floor-single", 0, kept(1))]
        figures = comparison([*runs, ("x", "floor-merge", 0, kept(2))])
        self.assertEqual(figures.floor("w"), "floor-single")
        self.assertEqual(figures.floor("x"), "floor-merge")
        self.assertIsNone(figures.floor("y"))

    def test_a_failed_run_counts_for_nothing_but_is_told(self):
        figures = comparison([("w", "bun", 0, kept(4))])
        figures.add("w", "bun", 1, failed="it fell over")
        self.assertEqual(figures.median("w", "bun", "cpu"), 4)
        self.assertEqual(figures.troubles(), [("w", "bun", "it fell over")])

    def test_the_generator_is_the_limit_when_most_runs_say_so(self):
        runs = [("w", "bun", n, kept(bottleneck=n < 2)) for n in range(3)]
        self.assertTrue(comparison(runs).is_at_limit("w", "bun"))
        self.assertFalse(comparison(runs[1:]).is_at_limit("w", "bun"))

    def test_what_is_saved_is_loaded_and_saved_alike(self):
        figures = comparison([("w", "bun", 0, kept(4)), ("w", "bun", 1, kept(5))])
        figures.add("w", "bun", 2, failed='"quoted"')
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "deep", "figures.json")
            figures.save(path)
            loaded = Figures.load(path)
        self.assertEqual(loaded.__dict__, figures.__dict__)
        self.assertEqual(loaded.text(), figures.text())
        self.assertEqual(loaded.median("w", "bun", "cpu"), 4.5)

    def test_the_links_cost_is_what_two_workers_need_more_for_each_record(self):
        runs = []
        for number_, (one, two) in enumerate(((1, 1.3), (2, 2.6))):
            runs.append(("workers", "tidewire", number_, kept(one, more={"fan": 8})))
            more = {"fan": 8, "link_records": 1.5}
            runs.append(("workers", "tidewire-2", number_, kept(two, more=more)))
        costs = comparison(runs).link_costs("workers", "tidewire", "tidewire-2")
        self.assertEqual([round(cost, 6) for cost in costs], [1.6, 3.2])


class Numbers(unittest.TestCase):
    def test_three_digits_count(self):
        values = (None, 0, 0.1234, 1.234, 2.0, 12.34, 99.97, 123.4, 12345.6)
        wanted = ["", "0", "0.123", "1.23", "2.00", "12.3", "100", "123", "12,346"]
        self.assertEqual([number(v) for v in values], wanted)

    def test_a_spread_is_from_the_smallest_to_the_largest(self):
        self.assertEqual(spread([2, 1, 3]), " (1.00–3.00)")
        self.assertEqual(spread([2]), "")


class Aims(unittest.TestCase):
    def verdict(self, aim, ours, floor=1.0):
        runs = [
            (aim.work, "tidewire", 0, ours),
            (aim.work, "floor-merge", 0, kept(floor)),
        ]
        return Measured(comparison(runs), aim).verdict()

    def test_a_ratio_is_met_up_to_its_limit(self):
        aim = next(aim for aim in AIMS if not aim.unit)
        self.assertEqual(self.verdict(aim, kept(2 * aim.limit), floor=2.0), "yes")
        self.assertEqual(self.verdict(aim, kept(2 * aim.limit + 0.1), floor=2.0), "no")

    def test_a_value_is_met_up_to_its_limit(self):
        aim = next(aim for aim in AIMS if aim.figure == "memory")
        self.assertEqual(self.verdict(aim, kept(aim.limit / 100)), "yes")
        self.assertEqual(self.verdict(aim, kept(aim.limit / 100 + 1)), "no")

    def test_what_must_be_lossless_is_not_met_with_a_loss(self):
        aim = next(aim for aim in AIMS if aim.is_lossless)
        lossy = kept(0.5, clean=False, lost=1)
        self.assertEqual(self.verdict(aim, lossy), "no, something was lost")
        self.assertEqual(self.verdict(aim, kept(0.5)), "yes")

    def test_what_was_not_measured_is_told_as_such(self):
        rows = aims_table(comparison([])).splitlines()[2:]
        self.assertEqual(len(rows), len(AIMS) + 1)
        for row in rows:
            self.assertIn("not measured", row)

    def test_each_is_of_a_work_that_there_is(self):
        names = {item.name for item in work.everything()}
        for aim in (*AIMS, LINK):
            self.assertIn(aim.work, names)


class Pages(unittest.TestCase):
    def figures(self):
        runs = []
        for name in ("echo-1-text", "fanout-1000-64-16", "steady-1000", "idle"):
            for peer, cost in (("tidewire", 1.5), ("floor-merge", 1), ("bun", 2)):
                limit = name == "echo-1-text"
                runs.append((name, peer, 0, kept(cost, bottleneck=limit)))
        return comparison(runs)

    def test_ratios_and_marks_are_in_the_tables(self):
        text = Page(self.figures()).markdown({})
        self.assertIn(
            "| echo, text, 1 in flight | round trip | 1.50 | 1.50 | 0.75 | 666,700 † "
            "| 0.100 | 0.200 | 0.300 |",
            text,
        )
        self.assertIn("| 1.50 (1.50) | 1.00 | 2.00 (2.00) |", text)
        self.assertIn("| 15,000 idle subscribers | 150 | 100 | 200 |", text)
        self.assertNotIn("Two workers", text)

    def test_the_small_table_has_a_dash_where_nothing_was_measured(self):
        text = Summary(self.figures(), ENGLISH).markdown()
        self.assertIn(
            "| echo through a Lua hook, 1 in flight "
            "| 1.50 µs | 1.00 µs | 1.50 | 2.00 µs | – | – |",
            text,
        )
        self.assertIn(
            "| memory of an idle subscribed connection | 150 B | 100 B |  | 200 B |", text
        )

    def test_both_languages_have_the_same_numbers(self):
        tables = [
            Summary(self.figures(), words).markdown().splitlines()[2 : 2 + len(ROWS)]
            for words in (ENGLISH, CHINESE)
        ]
        english, chinese = ([row.split("|")[2:] for row in rows] for rows in tables)
        self.assertEqual(english, chinese)
        self.assertEqual(set(ENGLISH), set(CHINESE))

    def test_only_what_is_between_the_markers_changes(self):
        page = "a\n<!-- figures -->\nold\n<!-- /figures -->\nz\n"
        once = put(page, "new")
        self.assertEqual(once, "a\n<!-- figures -->\n\nnew\n\n<!-- /figures -->\nz\n")
        self.assertEqual(put(once, "new"), once)

    def test_a_page_without_markers_takes_nothing(self):
        self.assertIsNone(put("mine\n", "new"))

    def test_plots_are_drawn_of_what_there_is(self):
        drawn = draw(self.figures())
        self.assertEqual(len(drawn["cpu"]), 2)
        for named in drawn.values():
            for svg in named.values():
                ElementTree.fromstring(svg)

    def test_every_page_has_its_markers(self):
        self.assertNotIn(None, dict(rendered(self.figures())).values())

    @unittest.skipUnless(DATA.exists(), "nothing has been measured")
    def test_the_pages_are_what_the_data_says(self):
        """Whoever edits a figure by hand is found here; --render mends it."""
        for path, text in rendered(Figures.load(DATA)):
            self.assertEqual(path.read_text(), text, path.name)


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
        self.assertEqual(len(work.choose([], quick=True)), 6)

    def test_each_is_done_by_us_and_by_servers_that_exist(self):
        known = {peer.name for peer in everyone("program")}
        for item in work.everything():
            self.assertIn("tidewire", item.peers)
            self.assertLessEqual(set(item.peers), known)

    def test_everything_but_ours_alone_is_held_against_a_floor(self):
        for item in work.everything():
            if item.group not in ("workers", "reload"):
                self.assertIn("floor-merge", item.peers, item.name)

    def test_an_unknown_name_is_refused(self):
        with self.assertRaises(KeyError):
            work.choose(["fanuot"], quick=False)

    def test_every_server_app_answers_the_paths_that_works_use(self):
        for app in ("bun.js", "ws.mjs", "python.py", "lws.c", "gorilla/main.go"):
            text = (PEERS / app).read_text()
            for path in ("/echo", "/sub", "/pub", "/room"):
                self.assertRegex(text, re.escape(f'"{path}"'), app)


class Plans(unittest.TestCase):
    def settings(self):
        return SimpleNamespace(seconds=1, warmup=0.5, settle=0.2)

    def told(self, figures, rounds):
        peers = [Peer(), Peer()]
        peers[0].name, peers[1].name = "tidewire", "bun"
        out = io.StringIO()
        with redirect_stderr(io.StringIO()):
            plan = Plan(work.choose(["echo-1-text"], False), peers, {"echo"})
        with redirect_stdout(out):
            plan.tell(figures, figures, self.settings(), rounds)
        return out.getvalue()

    def test_what_has_run_is_planned_with_the_time_it_took(self):
        figures = comparison([("echo-1-text", "tidewire", 0, kept())])
        figures.runs[0]["took"] = 300.0
        self.assertIn("2 rounds, 3 runs, about 5 minutes", self.told(figures, 2))

    def test_what_is_kept_is_not_run_again(self):
        runs = [("echo-1-text", peer, 0, kept()) for peer in ("tidewire", "bun")]
        self.assertIn("1 round, 0 runs, about 0 minutes", self.told(comparison(runs), 1))

    def test_a_run_is_longer_with_more_connections(self):
        works = [work.choose([f"fanout-{n}-64-1"], False)[0] for n in (100, 10000)]
        times = [estimate(self.settings(), item, Peer()) for item in works]
        self.assertLess(times[0], times[1])

    def test_works_that_cannot_be_done_here_are_left_out(self):
        out = io.StringIO()
        with redirect_stderr(out):
            plan = Plan(work.choose(["rooms"], False), everyone("program"), {"echo"})
        self.assertEqual(plan.entries, [])
        self.assertIn("the generator lacks it", out.getvalue())


if __name__ == "__main__":
    unittest.main()
