#!/usr/bin/env python3
"""Measures Tidewire and its peers side by side.

    compare.py [PROGRAM] [options]      PROGRAM: build/release/tidewire

Every run has a fresh server pinned to one core and the load generator
(`tidewire bench`) pinned to another. In each round every server does every
work once, in changing order; figures are medians over the rounds and ratios
are taken within a round. What is interrupted goes on with --resume. With
--write the figures go into docs/explanation and both READMEs.

SPDX-License-Identifier: MIT
"""
import argparse
import os
import signal
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True  # no __pycache__ among the sources

from suite import machine
from suite.digest import trouble_of
from suite.documents import update
from suite.figures import OURS, Figures
from suite.install import install
from suite.page import Page
from suite.peers import Missing, everyone, output
from suite.places import DATA, RESULTS, SOURCE
from suite.plan import Plan
from suite.run import Failed, Settings, measure
from suite.work import choose

PRESETS = {"rounds": (5, 1), "seconds": (1, 0.8), "warmup": (0.3, 0.3)}


def names(text):
    return [name for name in text.split(",") if name]


def arguments():
    parser = argparse.ArgumentParser(
        description="Measures Tidewire and its peers side by side.",
        epilog="All of it takes about three quarters of an hour, --quick about "
        "two minutes.",
    )
    add = parser.add_argument
    add(
        "program",
        nargs="?",
        type=Path,
        default=SOURCE / "build" / "release" / "tidewire",
        help="the tidewire that serves, and that makes the load",
    )
    add("--quick", action="store_true", help="a few works, one round")
    add("--only", type=names, default=[], metavar="WORK,...", help="or their beginnings")
    add("--peers", type=names, default=[], metavar="PEER,...")
    add("--rounds", type=int, help="(5)")
    add("--seconds", type=float, help="to measure in a run (1); some works take more")
    add("--warmup", type=float, help="of the same load before that (0.3)")
    add("--server-core", type=int, default=0)
    add("--generator-core", type=int, default=1)
    add("--list", action="store_true", help="print works and peers")
    add("--no-install", action="store_true", help="install nothing that peers lack")
    add("--resume", action="store_true", help="go on with the runs that are kept")
    add("--write", action="store_true", help="put the figures into the documents")
    add(
        "--render",
        action="store_true",
        help="measure nothing: make the documents again from --file",
    )
    add("--file", type=Path, help="where figures are kept")
    options = parser.parse_args()
    check(parser, options)
    for name, (full, quick) in PRESETS.items():
        if getattr(options, name) is None:
            setattr(options, name, quick if options.quick else full)
    return options


def check(parser, options):
    """Refuses what cannot be meant."""
    options.file = options.file or (DATA if options.render else RESULTS)
    if options.quick and options.write:
        parser.error("--quick is for a look; the documents want the full comparison")
    if options.write and (options.only or options.peers) and not options.resume:
        parser.error("the documents want all works and peers")
    known = {peer.name for peer in everyone(options.program)}
    for name in set(options.peers) - known:
        parser.error(f"no peer {name}; see --list")
    try:
        choose(options.only, options.quick)
    except KeyError as unknown:
        parser.error(f"no work {unknown.args[0]}; see --list")
    if not (options.program.exists() or options.render or options.list):
        parser.error(f"no {options.program}; run make build")
    if options.render and not options.file.exists():
        parser.error(f"no {options.file}: nothing has been measured")


def generator_modes(program):
    """What the generator can do."""
    text = output(program, "bench", "--help")
    return {line.split()[0] for line in text.splitlines() if line.startswith("  ")}


def ready(figures, peers):
    """Those peers that can run; the others are told and noted."""
    found = []
    for peer in peers:
        figures.titles[peer.name] = peer.title
        figures.skipped.pop(peer.name, None)
        try:
            peer.prepare()
        except Missing as missing:
            figures.skipped[peer.name] = str(missing)
            print(f"without {peer.title}: {missing}", file=sys.stderr)
        else:
            figures.versions[peer.name] = peer.version()
            found.append(peer)
    return found


def tell(work, peer, run):
    """One line for a run."""
    figures = run.get("figures", {})
    name, unit = ("memory", "B each") if work.mode == "idle" else ("cpu", "µs")
    value = figures.get(name)
    parts = [f"{value:10.3f} {unit}" if value is not None else " " * 13]
    if "rate" in figures:
        parts.append(f"{figures['rate']:12,.0f}/s")
    if figures.get("limit"):
        parts.append("(generator at its limit)")
    parts.append(trouble_of(run))
    print(f"  {peer.title:22}", *parts, flush=True)


def run_one(figures, settings, work, peer, number):
    try:
        kept, took = measure(settings, work, peer)
    except Failed as failed:
        figures.add(work.name, peer.name, number, failed=str(failed))
    else:
        figures.add(work.name, peer.name, number, took=took, figures=kept)
    tell(work, peer, figures.runs[-1])


def turned(items, by):
    by %= max(len(items), 1)
    return items[by:] + items[:by]


def compare(options, figures, settings, plan):
    for number in range(options.rounds):
        for work, peers in plan.entries:
            left = [p for p in peers if not figures.has(work.name, p.name, number)]
            if left:
                print(f"round {number + 1}/{options.rounds}: {work.title}", flush=True)
            for peer in turned(left, number):
                run_one(figures, settings, work, peer, number)
                figures.save(options.file)


def begin(options):
    """The figures to add to, with how they are made."""
    settings = {
        key: getattr(options, key)
        for key in ("rounds", "seconds", "warmup", "server_core", "generator_core")
    }
    if options.resume and options.file.exists():
        figures = Figures.load(options.file)
        figures.settings["rounds"] = max(settings["rounds"], figures.settings["rounds"])
        kept = {k: v for k, v in figures.settings.items() if k != "rounds"}
        if any(settings[key] != value for key, value in kept.items()):
            sys.exit("what is kept was measured with other settings")
        return figures
    return Figures(machine.describe(), settings)


def durations(options):
    """Figures of an earlier comparison that was made in the same way: how long
    its runs took."""
    for path in (options.file, DATA):
        if path.exists():
            figures = Figures.load(path)
            if all(figures.settings[k] == getattr(options, k) for k in ("seconds", "warmup")):
                return figures
    return Figures()


def warn():
    if os.cpu_count() < 2:
        print("one core only: servers and load share it", file=sys.stderr)
    if machine.busy() > 0.5:
        print(
            f"the machine is busy (load {machine.busy():.1f}): figures will be noise",
            file=sys.stderr,
        )


def list_all(options):
    for work in choose(options.only, options.quick):
        print(f"{work.name:24} {work.title}")
    print()
    for peer in everyone(options.program):
        print(f"{peer.name:24} {peer.title}")


def measure_all(options):
    """Makes the runs; returns the figures."""
    peers = everyone(options.program)
    if options.peers:
        peers = [peer for peer in peers if peer.name in options.peers]
    if not options.no_install:
        install(peers)
    if os.cpu_count() < 2:
        options.generator_core = options.server_core
    figures = begin(options)
    settings = Settings(
        program=options.program.resolve(),
        seconds=options.seconds,
        warmup=options.warmup,
        settle=0.2,
        server_core=options.server_core,
        generator_core=options.generator_core,
    )
    works = choose(options.only, options.quick)
    modes = generator_modes(settings.program)
    plan = Plan(works, ready(figures, peers), modes)
    plan.tell(figures, durations(options), settings, options.rounds)
    warn()
    started = time.monotonic()
    try:
        compare(options, figures, settings, plan)
    except KeyboardInterrupt:
        print("interrupted; --resume goes on", file=sys.stderr)
        sys.exit(130)
    minutes = (time.monotonic() - started) / 60
    print(f"{len(figures.runs)} runs, {minutes:.1f} minutes")
    return figures


def end(_signal, _frame):
    """Ends as by an interrupt, which stops the server that runs."""
    raise KeyboardInterrupt


def main():
    signal.signal(signal.SIGTERM, end)
    options = arguments()
    if options.list:
        list_all(options)
        return 0
    figures = Figures.load(options.file) if options.render else measure_all(options)
    if not figures.runs:
        print("nothing was measured", file=sys.stderr)
        return 1
    if options.write or options.render:
        if not update(figures):
            return 1
    else:
        print()
        print(Page(figures).markdown({}))
    ours = [t for t in figures.troubles() if t[1].startswith(OURS)]
    return 1 if ours else 0


if __name__ == "__main__":
    sys.exit(main())
