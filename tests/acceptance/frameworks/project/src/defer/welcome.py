"""The background function that every app here calls: write a letter, and return it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from defer_cli import current_execution, defer

LETTERS = Path(__file__).parents[2] / "letters"


@defer
async def welcome(name: str, profile: dict[str, Any] | None = None) -> str:
    letter = f"Welcome, {name}!"
    LETTERS.mkdir(exist_ok=True)
    (LETTERS / f"{current_execution().id}.txt").write_text(letter)
    return letter
