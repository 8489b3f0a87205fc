"""The servers that are compared: how each is built, started and named.

A peer is installed or says what is missing. All listen on 127.0.0.1, at the
port they are given, with one thread that does the work.

SPDX-License-Identifier: MIT
"""
import os
import platform
import resource
import shutil
import string
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .places import BENCH, BUILD, PEERS, SOURCE

ALL = frozenset({"echo", "fanout", "rooms", "idle", "churn"})
FDS = resource.getrlimit(resource.RLIMIT_NOFILE)[1]

SYSTEM_PYTHON = "/usr/bin/python3"
NCHAN = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")
GOPATH = "/usr/share/gocode"
GORILLA = Path(GOPATH, "src/github.com/gorilla/websocket")


class Missing(Exception):
    """A peer cannot be run; the text says what it lacks."""


def output(*argv, env=None):
    """What a program prints, or "" when it cannot be run."""
    try:
        done = subprocess.run(
            argv, env=env, capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return (done.stdout + done.stderr).strip()


def package_version(name):
    version = output("dpkg-query", "-W", "-f", "${Version}", name)
    return version.split("+dfsg")[0].split("-")[0].split(":")[-1] if version else ""


def need(program):
    path = shutil.which(program)
    if path is None:
        raise Missing(f"no {program}")
    return path


def is_fresh(target, *sources):
    return target.exists() and all(
        target.stat().st_mtime >= source.stat().st_mtime for source in sources
    )


def compile_c(target, sources, libraries):
    """Builds a C program unless it is newer than its sources."""
    headers = [path for source in sources for path in source.parent.glob("*.h")]
    if is_fresh(target, *sources, *headers):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [need("cc"), "-std=gnu11", "-O2", "-D_GNU_SOURCE", "-o", target, *sources]
        + libraries,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise Missing(f"{target.name} does not compile: {done.stderr[:200]}")


@dataclass(frozen=True)
class Start:
    """How a server is to be started. What a peer cannot do it ignores."""

    port: int
    folder: Path  # the run's own
    admin: str = "off"  # address of Tidewire's
    hold_us: int = 0  # how long the floor holds publications


class Peer:
    """`name` is for the command line and files, `title` for people."""

    name = title = ""
    modes = ALL
    packages = ()  # Debian's
    is_from_npm = False
    start_s = 0.2  # until it listens, and to stop it; rough
    open_us = 90  # to open a connection, both ends; rough

    def prepare(self):
        """Builds what must be built. Raises Missing."""

    def version(self):
        return ""

    def command(self, start):
        """argv to serve."""
        raise NotImplementedError

    def environment(self):
        return dict(os.environ)


class Tidewire(Peer):
    name, title = "tidewire", "Tidewire"

    def __init__(self, program, workers=1):
        self.program = Path(program).resolve()
        self.workers = workers
        if workers > 1:
            self.name = f"tidewire-{workers}"
            self.title = f"Tidewire, {workers} workers"

    def prepare(self):
        if not self.program.exists():
            raise Missing(f"no {self.program}; run make build")

    def version(self):
        version = output(self.program, "--version").split()[-1:]
        commit = output("git", "-C", str(SOURCE), "rev-parse", "--short", "HEAD")
        dirty = output(
            "git", "-C", str(SOURCE), "status", "--porcelain", "core", "lua"
        )
        if not commit or " " in commit:
            return " ".join(version)  # these are not a repository's files
        return " ".join([*version, commit + ("+" if dirty else "")])

    def command(self, start):
        return [
            self.program,
            "run",
            SOURCE / "examples" / "bench" / "app.lua",
            "--listen",
            f"127.0.0.1:{start.port}",
            "--admin",
            start.admin,
            "--workers",
            str(self.workers),
            "--runtime-dir",
            start.folder / "runtime",
            "--log-level",
            "warn",
        ]


class Floor(Peer):
    """A bare epoll program; `way` is how it sends."""

    def __init__(self, way, title):
        self.way, self.title = way, title
        self.name = f"floor-{way}"
        self.program = BUILD / f"floor_{way}"

    def prepare(self):
        names = (f"floor_{self.way}.c", "floor.c", "floor_channel.c")
        compile_c(self.program, [BENCH / name for name in names], ["-lcrypto"])

    def command(self, start):
        return [self.program, str(start.port), str(start.hold_us)]


class Bun(Peer):
    name, title = "bun", "uWebSockets in Bun"
    is_from_npm = True
    packages = ("npm",)

    def program(self):
        """The platform's own package: it needs no script to be installed."""
        machine = {"x86_64": "x64", "aarch64": "aarch64"}.get(platform.machine())
        for kind in (f"linux-{machine}", f"linux-{machine}-baseline"):
            path = BUILD / "node_modules" / "@oven" / f"bun-{kind}" / "bin" / "bun"
            if path.exists():
                return path
        raise Missing("no npm package bun")

    def prepare(self):
        if not output(self.program(), "--version"):
            raise Missing("bun does not run here")

    def version(self):
        return f"Bun {output(self.program(), '--version')}"

    def command(self, start):
        return [self.program(), PEERS / "bun.js", str(start.port)]


class Ws(Peer):
    name, title = "ws", "ws on Node"
    is_from_npm = True
    packages = ("nodejs", "npm")
    start_s, open_us = 0.4, 250
    module = BUILD / "node_modules" / "ws" / "package.json"

    def prepare(self):
        need("node")
        if not self.module.exists():
            raise Missing("no npm package ws")

    def version(self):
        script = f"console.log(require('{self.module}').version, process.version)"
        version = output("node", "-e", script).split()
        return f"ws {version[0]}, Node {version[1]}" if len(version) == 2 else ""

    def command(self, start):
        # From the folder where npm has put the package.
        line = 'cd "$0" && exec node "$1" "$2"'
        return ["/bin/sh", "-c", line, BUILD, PEERS / "ws.mjs", str(start.port)]


class Gorilla(Peer):
    name, title = "gorilla", "gorilla/websocket"
    packages = ("golang-go", "golang-github-gorilla-websocket-dev")
    program = BUILD / "gorilla"

    def prepare(self):
        source = PEERS / "gorilla" / "main.go"
        if is_fresh(self.program, source):
            return
        need("go")
        if not GORILLA.exists():
            raise Missing("no golang-github-gorilla-websocket-dev")
        self.program.parent.mkdir(parents=True, exist_ok=True)
        env = dict(
            os.environ,
            GO111MODULE="off",
            GOPATH=GOPATH,
            GOCACHE=str(BUILD / "go-cache"),
            GOFLAGS="",
        )
        done = subprocess.run(
            ["go", "build", "-o", self.program, source],
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise Missing(f"gorilla does not compile: {done.stderr[:200]}")

    def version(self):
        go = output("go", "version").split()
        return "gorilla/websocket %s, %s" % (
            package_version("golang-github-gorilla-websocket-dev"),
            go[2] if len(go) > 2 else "Go",
        )

    def command(self, start):
        return [self.program, str(start.port)]

    def environment(self):
        return dict(os.environ, GOMAXPROCS="1")


class Lws(Peer):
    name, title = "lws", "libwebsockets"
    packages = ("libwebsockets-dev",)
    program = BUILD / "lws"

    def prepare(self):
        if not Path("/usr/include/libwebsockets.h").exists():
            raise Missing("no libwebsockets-dev")
        compile_c(self.program, [PEERS / "lws.c"], ["-lwebsockets"])

    def version(self):
        return f"libwebsockets {package_version('libwebsockets-dev')}"

    def command(self, start):
        return [self.program, str(start.port)]


class Nchan(Peer):
    name, title = "nchan", "Nchan"
    modes = frozenset({"fanout", "idle", "churn"})
    packages = ("nginx", "libnginx-mod-nchan")

    def prepare(self):
        need("nginx")
        if not NCHAN.exists():
            raise Missing("no libnginx-mod-nchan")

    def version(self):
        nginx = output("nginx", "-v").rpartition("/")[2]
        return f"Nchan {package_version('libnginx-mod-nchan')}, nginx {nginx}"

    def command(self, start):
        template = string.Template((PEERS / "nchan.conf").read_text())
        config = start.folder / "nchan.conf"
        config.write_text(
            template.substitute(
                PORT=start.port,
                FOLDER=start.folder,
                NOFILE=FDS,
                CONNECTIONS=FDS - 64,
                USER="user root;" if os.geteuid() == 0 else "",
                DOLLAR="$",
            )
        )
        return [need("nginx"), "-p", start.folder, "-c", config]


class Python(Peer):
    name, title = "python", "python3-websockets"
    packages = ("python3-websockets",)
    start_s, open_us = 0.5, 900

    def prepare(self):
        if not self.module():
            raise Missing("no python3-websockets")

    def module(self):
        script = "import websockets.version as v; print(v.version)"
        version = output(SYSTEM_PYTHON, "-c", script)
        return version if version[:1].isdigit() else ""

    def version(self):
        python = output(SYSTEM_PYTHON, "--version").rpartition(" ")[2]
        return f"websockets {self.module()}, Python {python}"

    def command(self, start):
        return [SYSTEM_PYTHON, PEERS / "python.py", str(start.port)]


def everyone(program):
    """All peers, in the order of the tables."""
    return [
        Tidewire(program),
        Floor("merge", "floor, a send a turn"),
        Floor("single", "floor, a send each"),
        Bun(),
        Lws(),
        Gorilla(),
        Nchan(),
        Ws(),
        Python(),
        Tidewire(program, workers=2),
    ]
