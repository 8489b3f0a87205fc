#!/usr/bin/env python3
"""The benchmark guard: does fixed work under callgrind, counts the instructions
of an operation and compares them with what is recorded in guard.json. Fails
when one rose by more than a tenth.

    guard.py PROGRAM [--only WORK]... [--record REASON]

PROGRAM is the guard of an optimised build (`make guard` does it all). With
--record the figures that changed are written down, with the reason, which is
for whoever reads the commit. The callgrind files stay beside PROGRAM.

SPDX-License-Identifier: MIT
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.dont_write_bytecode = True

from callgrind import read

FIGURES = Path(__file__).resolve().parent / "guard.json"
TOLERANCE = 0.10
NOISE = 0.01  # what repeated runs differ by, and what is not recorded anew
SECONDS = 600
SKIPPED = 77


class Trouble(Exception):
    pass


# ---- counting ---------------------------------------------------------------


def works_of(program):
    return subprocess.check_output([program, "--list"], text=True).split()


def callgrind(program, work, out):
    command = ["valgrind", "-q", "--tool=callgrind", "--instr-atstart=no"]
    command += ["--collect-atstart=no", f"--callgrind-out-file={out}"]
    done = subprocess.run(
        [*command, program, work],
        env={**os.environ, "LD_BIND_NOW": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise Trouble(f"{work}: exit status {done.returncode}\n{done.stderr}")
    return int(done.stdout.split()[1])


def measure(program, work):
    """Instructions and calls of one operation."""
    out = Path(program).resolve().with_name(f"guard.{work}.callgrind")
    operations = callgrind(program, work, out)
    with out.open(encoding="utf-8") as lines:
        count = read(lines)
    if count.instructions() == 0:
        raise Trouble(f"{work}: nothing was counted; was valgrind's header there when it was built?")
    return {
        "instructions": round(count.instructions() / operations, 2),
        "calls": round(count.calls / operations, 3),
    }


# ---- comparing --------------------------------------------------------------


def change(recorded, now):
    if recorded == 0:
        return 0.0 if now == 0 else float("inf")
    return now / recorded - 1


def changes(recorded, now):
    return [change(recorded[name], now[name]) for name in ("instructions", "calls")]


def verdict(recorded, now):
    """One of "new", "worse", "better" and "" for a work's figures."""
    if recorded is None:
        return "new"
    both = changes(recorded, now)
    if max(both) > TOLERANCE:
        return "worse"
    return "better" if min(both) < -TOLERANCE else ""


def record(figures, measured, reason):
    """Writes down what is not there or has changed; which works that was."""
    written = []
    for work, now in measured.items():
        old = figures.get(work)
        if old is None or max(map(abs, changes(old, now))) > NOISE:
            figures[work] = {**now, "reason": reason}
            written.append(work)
    return written


# ---- the table --------------------------------------------------------------


def row(work, recorded, now):
    if recorded is None:
        return f"{work:<10} {now['instructions']:>23.1f} {now['calls']:>26.2f}          new"
    rise, calls_rise = changes(recorded, now)
    return (
        f"{work:<10} {recorded['instructions']:>12.1f} {now['instructions']:>10.1f} {rise:>+7.1%}"
        f" {recorded['calls']:>9.2f} {now['calls']:>8.2f} {calls_rise:>+7.1%}"
        f"  {verdict(recorded, now)}"
    ).rstrip()


HEAD = f"{'an operation':<10} {'instructions':>10} {'now':>10} {'':>7} {'calls':>9} {'now':>8}"


def advice(verdicts, folder):
    """What to do about verdicts, as lines."""
    worse = [work for work, word in verdicts.items() if word == "worse"]
    other = [work for work, word in verdicts.items() if word in ("new", "better")]
    if worse:
        yield "More than a tenth worse. To see where:"
        yield from (f"  callgrind_annotate {folder}/guard.{work}.callgrind" for work in worse)
        yield "If there is a reason: make guard ARGS='--record \"the reason\"'"
    if other:
        yield f"New or better: {', '.join(other)}. Kept with make guard ARGS='--record \"the reason\"'"


# ---- main -------------------------------------------------------------------


def options():
    parser = argparse.ArgumentParser(description="counts what fixed work costs")
    parser.add_argument("program")
    parser.add_argument("--only", action="append", metavar="WORK")
    parser.add_argument("--record", metavar="REASON")
    return parser.parse_args()


def run(arguments):
    works = arguments.only or works_of(arguments.program)
    recorded = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(lambda work: measure(arguments.program, work), works)
        measured = dict(zip(works, results))
    print(HEAD)
    for work, now in measured.items():
        print(row(work, recorded.get(work), now))
    if arguments.record:
        written = record(recorded, measured, arguments.record)
        FIGURES.write_text(json.dumps(recorded, indent=2) + "\n")
        print(f"recorded: {', '.join(written) or 'nothing changed'}")
        return 0
    verdicts = {work: verdict(recorded.get(work), now) for work, now in measured.items()}
    for line in advice(verdicts, Path(arguments.program).parent):
        print(line)
    return 1 if {"worse", "new"} & set(verdicts.values()) else 0


def main():
    arguments = options()
    if shutil.which("valgrind") is None:
        print("guard: there is no valgrind here", file=sys.stderr)
        return SKIPPED
    try:
        return run(arguments)
    except Trouble as trouble:
        print(f"guard: {trouble}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
