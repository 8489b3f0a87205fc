"""One run: a fresh server on its core, the generator on another.

SPDX-License-Identifier: MIT
"""
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from .digest import digest, short
from .peers import Start

START_S = 15
STOP_S = 5
SPARE_S = 180  # that a run may take beyond its phases


class Failed(Exception):
    """A run could not be made; the text says why."""


@dataclass(frozen=True)
class Settings:
    """How runs are made; the same for all of one comparison."""

    program: Path  # tidewire: the load generator
    seconds: float
    warmup: float
    settle: float
    server_core: int
    generator_core: int


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def is_listening(port):
    with socket.socket() as s:
        s.settimeout(1)
        return s.connect_ex(("127.0.0.1", port)) == 0


def on_core(core, argv):
    return ["taskset", "-c", str(core), *map(str, argv)]


def last_line(path):
    lines = path.read_text(errors="replace").strip().splitlines()
    return lines[-1][:200] if lines else ""


@dataclass
class Server:
    """A peer that is running."""

    process: subprocess.Popen
    start: Start

    def stop(self):
        """Ends its process group, which is its own; also when a second
        interrupt comes meanwhile."""
        try:
            self.signal(signal.SIGTERM)
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            pass
        finally:
            self.signal(signal.SIGKILL)  # and children left behind
            self.process.wait()

    def signal(self, number):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)


def wait_until_listening(peer, server, log):
    end = time.monotonic() + START_S
    while not is_listening(server.start.port):
        if server.process.poll() is not None:
            raise Failed(f"{peer.title} ended: {last_line(log)}")
        if time.monotonic() > end:
            raise Failed(f"{peer.title} does not listen: {last_line(log)}")
        time.sleep(0.02)


def how_to_start(work, folder):
    admin = f"127.0.0.1:{free_port()}" if work.counts_link else "off"
    return Start(free_port(), folder, admin, work.hold_us)


@contextlib.contextmanager
def serving(peer, work, core):
    """A fresh server of `peer`, stopped in the end."""
    folder = Path(tempfile.mkdtemp(prefix=f"bench-{peer.name}-"))
    log = folder / "log"
    start = how_to_start(work, folder)
    try:
        with log.open("wb") as out:
            process = subprocess.Popen(
                on_core(core, peer.command(start)),
                env=peer.environment(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        server = Server(process, start)
        try:
            wait_until_listening(peer, server, log)
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def generator(settings, work, server):
    port = server.start.port
    argv = [settings.program, "bench", work.mode, "--json"]
    argv += ["--url", f"ws://127.0.0.1:{port}{work.path or '/'}"]
    argv += ["--server-pid", server.process.pid]
    argv += ["--seconds", settings.seconds * work.times]
    if work.mode != "idle":
        argv += ["--warmup", settings.warmup]
    if work.mode in ("fanout", "idle", "rooms"):
        argv += ["--settle", settings.settle]
    return on_core(settings.generator_core, [*argv, *work.arguments])


def reload_in_the_middle(settings, work, server):
    """Reloads when about half of the measuring is over; how many milliseconds
    that took."""
    opening = work.connections / 10000 + 2 * settings.settle
    time.sleep(opening + settings.warmup + settings.seconds * work.times / 2)
    started = time.monotonic()
    done = subprocess.run(
        [settings.program, "reload", "--runtime-dir", server.start.folder / "runtime"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    if done.returncode != 0:
        raise Failed(f"reload: {(done.stdout + done.stderr).strip()[:200]}")
    return 1000 * (time.monotonic() - started)


def read_report(process, seconds):
    try:
        out, err = process.communicate(timeout=seconds + SPARE_S)
    except subprocess.TimeoutExpired:
        raise Failed("the generator did not end") from None
    if process.returncode not in (0, 1):
        raise Failed(err.strip().splitlines()[-1][:200] if err.strip() else "no report")
    return json.loads(out)


def counters(server):
    """Sums over all workers, by name."""
    found = {}
    with urllib.request.urlopen(
        f"http://{server.start.admin}/metrics", timeout=10
    ) as answer:
        for line in answer.read().decode().splitlines():
            if not line.startswith("#") and line:
                name, _, value = line.rpartition(" ")
                name = name.partition("{")[0]
                found[name] = found.get(name, 0) + float(value)
    return found


def link_records(server):
    """Records on the link for each publication."""
    found = counters(server)
    records = found.get("tidewire_link_records_sent_total", 0)
    return records / max(found.get("tidewire_publications_total", 0), 1)


def measure(settings, work, peer):
    """The figures of one run of `work` against `peer`."""
    began = time.monotonic()
    more = {}
    with serving(peer, work, settings.server_core) as server:
        process = subprocess.Popen(
            generator(settings, work, server),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # so that an interrupt is ours to handle
        )
        try:
            if work.reload:
                more["reload"] = reload_in_the_middle(settings, work, server)
            phases = settings.seconds * work.times + settings.warmup
            report = read_report(process, phases)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(STOP_S)
        if work.counts_link:
            more |= {"fan": work.fan, "link_records": link_records(server)}
    kept = digest(report) | {name: short(value) for name, value in more.items()}
    return kept, round(time.monotonic() - began, 1)
