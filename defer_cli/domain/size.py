"""Sizes in words: ``"512 MB"``, ``"1.5 GiB"``, bytes as a number."""

from __future__ import annotations

import re
from typing import TypeAlias

from defer_cli.domain.errors import SettingError

Size: TypeAlias = str | int

_FACTORS = {
    **dict.fromkeys(("b", "byte", "bytes"), 1),
    **{f"{letter}{end}": 1000**power for power, letter in enumerate("kmgt", 1) for end in ("", "b")},
    **{f"{letter}i{end}": 1024**power for power, letter in enumerate("kmgt", 1) for end in ("", "b")},
}
_SIZE = re.compile(r"\s*(\d{1,15}(?:\.\d{1,9})?)\s*([a-z]+)\s*", re.ASCII | re.IGNORECASE)
_MEND = 'write it like "512 MB" or "2 GiB", or give bytes as a number'
LEAST_MEMORY = 64_000_000
"""Of a process: below it, nothing could be imported."""


def parse_memory(value: object, *, where: str) -> int:
    """Return the bytes that ``value`` allows a process; raise ``SettingError`` naming ``where``."""
    size = _bytes_in(value)
    if size is None:
        raise SettingError(f"{value!r} is not a size", where=where, mend=_MEND)
    if size < LEAST_MEMORY:
        mend = f"use {size_in_words(LEAST_MEMORY)} or more: a process takes about 40 MB before it runs anything"
        raise SettingError(f"{value!r} is too little", where=where, mend=mend)
    return size


def size_in_words(size: float) -> str:
    """Return a number of bytes in the unit that fits (powers of 1,000)."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} TB"


def _bytes_in(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    factor = _FACTORS.get(match[2].lower()) if match else None
    return None if match is None or factor is None else int(float(match[1]) * factor)
