"""Cutting a batch into frames: each stays well below the largest one allowed."""

from __future__ import annotations

from collections.abc import Sequence

MOST_IN_FRAME = 2 * 1024 * 1024
_OVERHEAD = 128
"""What an item takes besides its texts: numbers, id, prefixes."""


def cuts(sizes: Sequence[int]) -> list[tuple[int, int]]:
    """Return ranges of items whose sizes fit into a frame together; an item over the limit is alone."""
    ranges: list[tuple[int, int]] = []
    start = total = 0
    for position, size in enumerate(sizes):
        if total + size > MOST_IN_FRAME and position > start:
            ranges.append((start, position))
            start, total = position, 0
        total += size + _OVERHEAD
    if start < len(sizes):
        ranges.append((start, len(sizes)))
    return ranges
