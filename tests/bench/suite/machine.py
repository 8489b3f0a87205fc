"""What the figures were measured on.

SPDX-License-Identifier: MIT
"""
import datetime
import os
import platform
from pathlib import Path

from .peers import FDS


def cpu_model():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def memory_gib():
    kilobytes = int(Path("/proc/meminfo").read_text().split()[1])
    return round(kilobytes / 1024 / 1024)


def congestion_control():
    """It paces sends, even on loopback, so it belongs to the figures."""
    path = Path("/proc/sys/net/ipv4/tcp_congestion_control")
    return path.read_text().strip() if path.exists() else "unknown"


def system():
    release = Path("/etc/os-release")
    for line in release.read_text().splitlines() if release.exists() else []:
        if line.startswith("PRETTY_NAME="):
            return line.partition("=")[2].strip('"')
    return platform.system()


def describe():
    return {
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "memory_gib": memory_gib(),
        "kernel": platform.release().partition("-")[0],  # without who built it
        "system": system(),
        "congestion_control": congestion_control(),
        "descriptors": FDS,
        "date": datetime.date.today().isoformat(),
    }


def busy():
    """How much of the machine others use just now, in cores."""
    return os.getloadavg()[0]
