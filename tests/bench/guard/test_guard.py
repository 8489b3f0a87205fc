#!/usr/bin/env python3
"""Tests of the guard's reader and of its verdicts, without valgrind.

SPDX-License-Identifier: MIT
"""
import sys
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

from callgrind import is_ours, read
from guard import advice, record, row, verdict

FILE = """\
version: 1
creator: callgrind-3.19.0
cmd: guard echo
positions: line
events: Ir
summary: 1000

ob=(1) /build/guard
fl=(1) a.c
fn=(1) parse
10 5
+2 7
cob=(2) /usr/lib/x86_64-linux-gnu/libc.so.6
cfi=(2) ???
cfn=(2) memcpy
calls=3 0
+1 300
cfn=(3) inside
calls=2 40
* 80
-1 1

ob=(2)
fl=(2)
fn=(2)
0 300

ob=(1)
fn=(3)
40 80
cob=(3) ???
cfn=(4) time
calls=4 0
* 9

ob=(3)
fn=(4)
0 9
"""


class Reader(unittest.TestCase):
    def setUp(self):
        self.count = read(FILE.splitlines(keepends=True))

    def test_a_function_counts_once_not_again_at_its_callers(self):
        self.assertEqual(self.count.by_object["/build/guard"], 5 + 7 + 1 + 80)

    def test_the_c_library_and_the_kernels_code_are_not_ours(self):
        self.assertEqual(self.count.instructions(), 93)

    def test_calls_into_what_is_not_ours_are_counted(self):
        self.assertEqual(self.count.calls, 3 + 4)

    def test_objects_that_depend_on_the_machine_are_not_ours(self):
        for name in ("ld-linux-x86-64.so.2", "libc.so.6", "libc-2.31.so", "libcrypto.so.3", "libm.so.6"):
            self.assertFalse(is_ours(f"/usr/lib/x86_64-linux-gnu/{name}"), name)
        for name in ("libluajit-5.1.so.2.1.0", "libuv.so.1.0.0", "libwslay.so.1.1.0", "guard"):
            self.assertTrue(is_ours(f"/usr/lib/x86_64-linux-gnu/{name}"), name)


def figures(instructions, calls=2.0):
    return {"instructions": instructions, "calls": calls}


class Verdict(unittest.TestCase):
    def test_a_rise_by_more_than_a_tenth_is_worse(self):
        self.assertEqual(verdict(figures(1000), figures(1101)), "worse")
        self.assertEqual(verdict(figures(1000), figures(1099)), "")

    def test_a_call_more_is_worse_although_it_costs_few_instructions(self):
        self.assertEqual(verdict(figures(1000), figures(1001, 3.0)), "worse")

    def test_a_call_where_there_was_none_is_worse(self):
        self.assertEqual(verdict(figures(1000, 0), figures(1000, 0.5)), "worse")

    def test_a_fall_by_more_than_a_tenth_is_to_be_recorded(self):
        self.assertEqual(verdict(figures(1000), figures(890)), "better")

    def test_what_is_worse_in_one_is_not_better_for_the_other(self):
        self.assertEqual(verdict(figures(1000), figures(500, 3.0)), "worse")

    def test_a_work_that_was_never_recorded_is_new(self):
        self.assertEqual(verdict(None, figures(1)), "new")
        self.assertIn("new", row("work", None, figures(1)))


class Advice(unittest.TestCase):
    def test_nothing_to_say_when_nothing_has_changed(self):
        self.assertEqual(list(advice({"echo": ""}, "build")), [])

    def test_what_is_worse_is_told_apart_from_what_is_better(self):
        lines = list(advice({"echo": "worse", "json": "better", "hook": ""}, "build"))
        self.assertIn("  callgrind_annotate build/guard.echo.callgrind", lines)
        self.assertTrue(any("json" in line and "echo" not in line for line in lines))


class Record(unittest.TestCase):
    def test_what_has_changed_gets_the_reason_and_the_rest_keeps_its_own(self):
        kept = {**figures(1000), "reason": "old"}
        book = {"same": dict(kept), "changed": dict(kept)}
        measured = {"same": figures(1004), "changed": figures(1200), "added": figures(5)}
        self.assertEqual(record(book, measured, "why"), ["changed", "added"])
        self.assertEqual(book["same"], kept)
        self.assertEqual(book["changed"], {**figures(1200), "reason": "why"})
        self.assertEqual(book["added"]["reason"], "why")


if __name__ == "__main__":
    unittest.main()
