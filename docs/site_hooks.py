"""What mkdocs.yml cannot say: every decision is in the navigation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

_DECISIONS = Path(__file__).parent / "decisions"


def on_config(config: dict[str, Any]) -> None:
    """Add the decisions to their section, so that a new one needs no line anywhere else."""
    (section,) = [entry for entry in config["nav"] if "Decisions" in entry]
    section["Decisions"] += [f"decisions/{path.name}" for path in sorted(_DECISIONS.glob("[0-9]*.md"))]
