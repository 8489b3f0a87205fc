"""The comparison suite behind compare.py: peers, work, runs, figures, pages.

SPDX-License-Identifier: MIT
"""
