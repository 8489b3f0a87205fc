"""What is kept of a run: a few figures out of the generator's report.

Times are in milliseconds where they are latencies and in microseconds where
they are CPU time; counts that are zero are left out.

SPDX-License-Identifier: MIT
"""

POINTS = ("p50", "p99", "p99_9", "max")
LEDGER = ("lost", "doubled", "disordered", "damaged")


def short(value):
    """Four digits that count: more is noise, and the file is kept in git."""
    return float(f"{value:.4g}")


def troubles(report):
    """Counts of what went wrong, by what they are called."""
    counts = {name: report["ledger"][name] for name in LEDGER}
    counts["connections lost"] = report["disconnects"] + report["publisher_disconnects"]
    counts["not opened"] = report["failed"]
    found = {name: count for name, count in counts.items() if count}
    if not report["clean"] and not found:
        found["ended early"] = 1
    return found


def digest(report):
    """The figures of one run; what is not known is not in it."""
    server = report.get("server", {})
    kept = {
        "cpu": server.get("cpu_us_per_message"),
        "memory": server.get("private_bytes_per_connection_held"),
        "rate": report["messages_per_second"] or None,
        "load": report["generator_cores"],
    }
    if report["latency_us"]["count"] > 0:
        kept |= {point: report["latency_us"][point] / 1000 for point in POINTS}
    kept = {name: short(value) for name, value in kept.items() if value is not None}
    kept["intended"] = report["ledger"]["intended"]
    kept["received"] = report["ledger"]["received"]
    if report["generator_was_bottleneck"]:
        kept["limit"] = 1
    found = troubles(report)
    if found:
        kept["troubles"] = found
    return kept


def trouble_of(run):
    """Why a run was not clean, in a few words; "" when it was."""
    if "failed" in run:
        return run["failed"]
    counts = run["figures"].get("troubles", {})
    return ", ".join(
        what if what == "ended early" else f"{count:,} {what}"
        for what, count in counts.items()
    )
