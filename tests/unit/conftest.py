"""Each test has its folder in memory."""

from __future__ import annotations

from tests.in_memory import folders, tmp_path

__all__ = ["folders", "tmp_path"]
