"""Fills a template: `{{ name }}` in a line; alone in a line it may be several, or none."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

_TEMPLATES = Path(__file__).parent / "templates"
_ALONE = re.compile(r"^( *)\{\{ (\w+) \}\}$")
_WITHIN = re.compile(r"\{\{ (\w+) \}\}")


def filled(template: str, words: Mapping[str, str]) -> str:
    """Return the template of this name with ``words`` in it."""
    lines: list[str] = []
    for line in (_TEMPLATES / template).read_text(encoding="utf-8").splitlines():
        alone = _ALONE.match(line)
        if alone is None:
            lines.append(_WITHIN.sub(lambda found: words[found[1]], line))
        else:
            lines += [f"{alone[1]}{one}" for one in words[alone[2]].splitlines()]
    return "\n".join(lines) + "\n"
