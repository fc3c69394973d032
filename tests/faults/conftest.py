"""Faults are injected into the same real projects and runners as `tests/process` has."""

from __future__ import annotations

from tests.process.conftest import make_project, project

__all__ = ["make_project", "project"]
