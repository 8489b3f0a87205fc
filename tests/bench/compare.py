#!/usr/bin/env python3
"""Measures Tidewire and its peers side by side.

    compare.py [PROGRAM] [options]      PROGRAM: build/release/tidewire

Every run has a fresh server pinned to one core and the load generator
(`tidewire bench`) pinned to another. In each round every server does every
work once, in changing order; figures are medians over the rounds and ratios
are taken within a round. Figures are kept in build/bench/figures.json; with
--write they go into docs/explanation/performance.md and README.md, too.

SPDX-License-Identifier: MIT
"""
import argparse
import os
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True  # no __pycache__ among the sources

from suite import machine
from suite.figures import Figures, cpu, memory, rate, trouble_of
from suite.install import install
from suite.page import Page, put
from suite.peers import FDS, Missing, everyone, output
from suite.pictures import draw
from suite.places import PAGE, PAGES, README, RESULTS, SOURCE
from suite.run import Failed, Settings, measure
from suite.work import choose

# What a server needs besides its connections.
SPARE_FDS = 200

FRESH_PAGE = """# Performance

How Tidewire compares, measured by `make bench`.

<!-- figures -->
<!-- /figures -->
"""


def names(text):
    return [name for name in text.split(",") if name]


def arguments():
    parser = argparse.ArgumentParser(
        description="Measures Tidewire and its peers side by side.",
        epilog="A full comparison takes about two hours, --quick two minutes.",
    )
    add = parser.add_argument
    add(
        "program",
        nargs="?",
        type=Path,
        default=SOURCE / "build" / "release" / "tidewire",
        help="the tidewire that serves, and that makes the load",
    )
    add("--quick", action="store_true", help="a few works, one round of a second")
    add("--only", type=names, default=[], metavar="WORK,...", help="or their beginnings")
    add("--peers", type=names, default=[], metavar="PEER,...")
    add("--rounds", type=int, help="(5)")
    add("--seconds", type=float, help="to measure in each run (3)")
    add("--warmup", type=float, help="of the same load before that (1)")
    add("--server-core", type=int, default=0)
    add("--generator-core", type=int, default=1)
    add("--list", action="store_true", help="print works and peers")
    add("--install", action="store_true", help="install what peers lack, then measure")
    add("--resume", action="store_true", help="go on with the runs that are kept")
    add("--render", action="store_true", help="measure nothing, show what is kept")
    add("--write", action="store_true", help="put the figures into the documents")
    add("--file", type=Path, default=RESULTS, help="where figures are kept")
    options = parser.parse_args()
    check(parser, options)
    presets = {"rounds": (5, 1), "seconds": (3, 1), "warmup": (1, 0.4)}
    for name, (full, quick) in presets.items():
        if getattr(options, name) is None:
            setattr(options, name, quick if options.quick else full)
    return options


def check(parser, options):
    """Refuses what cannot be meant."""
    if options.quick and options.write:
        parser.error("--quick is for a look; the documents want the full comparison")
    known = {peer.name for peer in everyone(options.program)}
    for name in set(options.peers) - known:
        parser.error(f"no peer {name}; see --list")
    try:
        choose(options.only, options.quick)
    except KeyError as unknown:
        parser.error(f"no work {unknown.args[0]}; see --list")
    if not options.program.exists():
        parser.error(f"no {options.program}; run make build")
    if options.render and not options.file.exists():
        parser.error(f"no {options.file}: nothing has been measured")
    if os.cpu_count() < 2:
        print("one core only: servers and load share it", file=sys.stderr)
        options.generator_core = options.server_core


def generator_modes(program):
    """What the generator can do."""
    text = output(program, "bench", "--help")
    return {line.split()[0] for line in text.splitlines() if line.startswith("  ")}


def ready(figures, peers):
    """Those peers that can run; the others are told and noted."""
    found = []
    for peer in peers:
        figures.titles[peer.name] = peer.title
        try:
            peer.prepare()
        except Missing as missing:
            figures.skipped[peer.name] = str(missing)
            print(f"without {peer.title}: {missing}", file=sys.stderr)
        else:
            figures.versions[peer.name] = peer.version()
            found.append(peer)
    return found


def plan(works, peers, modes):
    """(work, the peers that do it), for works that can be done here."""
    for work in works:
        if work.connections + SPARE_FDS > FDS:
            print(
                f"without {work.title}: {work.connections:,} connections, but "
                f"{FDS:,} descriptors (ulimit -n)",
                file=sys.stderr,
            )
        elif work.mode not in modes:
            print(f"without {work.title}: the generator lacks it", file=sys.stderr)
        else:
            yield work, [peer for peer in peers if work.fits(peer, modes)]


def tell(work, peer, report):
    """One line for a run."""
    unit = {"idle": (memory, "B each")}.get(work.mode, (cpu, "µs"))
    value = unit[0](report)
    parts = [f"{value:10.3f} {unit[1]}" if value is not None else " " * 13]
    if work.mode != "idle":
        parts.append(f"{rate(report):12,.0f}/s")
    parts.append(trouble_of(report))
    if report["generator_was_bottleneck"]:
        parts.append("(generator at its limit)")
    print(f"  {peer.title:22}", *parts, flush=True)


def run_one(figures, settings, work, peer, number):
    try:
        report = measure(settings, work, peer)
    except Failed as failed:
        figures.add(work.name, peer.name, number, failed=str(failed))
        print(f"  {peer.title:22} FAILED: {failed}", flush=True)
    else:
        figures.add(work.name, peer.name, number, report=report)
        tell(work, peer, report)


def turned(items, by):
    by %= max(len(items), 1)
    return items[by:] + items[:by]


def compare(options, figures, settings, work_list):
    for number in range(options.rounds):
        for work, peers in work_list:
            print(f"round {number + 1}/{options.rounds}: {work.title}", flush=True)
            for peer in turned(peers, number):
                if not figures.has(work.name, peer.name, number):
                    run_one(figures, settings, work, peer, number)
                    figures.save(options.file)


def show(figures):
    page = Page(figures)
    print()
    print(page.markdown({}))


def write(figures):
    page = Page(figures)
    fine = put(PAGE, page.markdown(draw(figures, PAGES)), FRESH_PAGE)
    fine &= put(README, page.readme())
    if not fine:
        print("a page lacks its markers <!-- figures -->", file=sys.stderr)
    return fine


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
    if options.install:
        install(peers)
    figures = begin(options)
    settings = Settings(
        program=options.program.resolve(),
        seconds=options.seconds,
        warmup=options.warmup,
        settle=0.2 if options.quick else 0.5,
        server_core=options.server_core,
        generator_core=options.generator_core,
    )
    if machine.busy() > 0.5:
        print(
            f"the machine is busy (load {machine.busy():.1f}): figures will be noise",
            file=sys.stderr,
        )
    works = choose(options.only, options.quick)
    modes = generator_modes(settings.program)
    work_list = list(plan(works, ready(figures, peers), modes))
    started = time.monotonic()
    try:
        compare(options, figures, settings, work_list)
    except KeyboardInterrupt:
        print("interrupted; --resume goes on", file=sys.stderr)
    minutes = (time.monotonic() - started) / 60
    print(f"{len(figures.runs)} runs, {minutes:.1f} minutes")
    return figures


def main():
    options = arguments()
    if options.list:
        list_all(options)
        return 0
    figures = Figures.load(options.file) if options.render else measure_all(options)
    if not figures.runs:
        print("nothing was measured", file=sys.stderr)
        return 1
    show(figures)
    if options.write and not write(figures):
        return 1
    ours = [t for t in figures.troubles() if t[1].startswith("tidewire")]
    return 1 if ours else 0


if __name__ == "__main__":
    sys.exit(main())
