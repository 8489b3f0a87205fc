"""Installs what the peers need: Debian's packages as root, npm's into the
build folder.

SPDX-License-Identifier: MIT
"""
import shutil
import subprocess

from .places import BUILD, PEERS, SOURCE


def install(peers):
    packages = list(dict.fromkeys(p for peer in peers for p in peer.packages))
    if packages:
        subprocess.run([SOURCE / ".ci" / "packages", *packages], check=True)
    if any(peer.name in ("bun", "ws") for peer in peers):
        BUILD.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(PEERS / name, BUILD)
        # Scripts would only fetch what the platform's package already brings.
        subprocess.run(
            ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            + ["--loglevel=error"],
            cwd=BUILD,
            check=True,
        )
