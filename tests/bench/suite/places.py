"""Where things are.

SPDX-License-Identifier: MIT
"""
from pathlib import Path

BENCH = Path(__file__).resolve().parent.parent
SOURCE = BENCH.parent.parent
PEERS = BENCH / "peers"
BUILD = SOURCE / "build" / "peers"  # what is installed and built for peers
RESULTS = SOURCE / "build" / "bench" / "figures.json"
PAGES = SOURCE / "docs" / "explanation"
PAGE = PAGES / "performance.md"
README = SOURCE / "README.md"
