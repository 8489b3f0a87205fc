"""Installs what the peers need: Debian's packages as root, npm's into the
build folder. What cannot be installed is told, and left out later.

SPDX-License-Identifier: MIT
"""
import shutil
import subprocess
import sys

from .places import BUILD, PEERS, SOURCE

NPM_FILES = ("package.json", "package-lock.json")


def install_packages(peers):
    packages = list(dict.fromkeys(p for peer in peers for p in peer.packages))
    if packages:
        subprocess.run([SOURCE / ".ci" / "packages", *packages], check=False)


def has_npm_packages():
    """Whether what is there has come from the list as it is now."""
    lock = NPM_FILES[1]
    return (BUILD / "node_modules" / ".package-lock.json").exists() and (
        BUILD / lock
    ).read_bytes() == (PEERS / lock).read_bytes()


def install_npm_packages():
    if has_npm_packages() or shutil.which("npm") is None:
        return
    BUILD.mkdir(parents=True, exist_ok=True)
    for name in NPM_FILES:
        shutil.copy(PEERS / name, BUILD)
    # Scripts would only fetch what the platform's package already brings.
    done = subprocess.run(
        ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        + ["--loglevel=error"],
        cwd=BUILD,
        check=False,
    )
    if done.returncode != 0:
        (BUILD / NPM_FILES[1]).unlink()  # to be tried again
        print("npm could not install bun and ws", file=sys.stderr)


def install(peers):
    install_packages(peers)
    if any(peer.is_from_npm for peer in peers):
        install_npm_packages()
