"""Where things are.

SPDX-License-Identifier: MIT
"""
from pathlib import Path

BENCH = Path(__file__).resolve().parent.parent
SOURCE = BENCH.parent.parent
PEERS = BENCH / "peers"
BUILD = SOURCE / "build" / "peers"  # what is installed and built for peers
RESULTS = SOURCE / "build" / "bench" / "figures.json"  # while measuring
PAGES = SOURCE / "docs" / "explanation"
DATA = PAGES / "performance.json"  # what the pages show
PAGE = PAGES / "performance.md"
README = SOURCE / "README.md"
README_ZH = SOURCE / "README.zh-CN.md"
