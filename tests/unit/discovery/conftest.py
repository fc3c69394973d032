"""A small project for each test of discovery."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.discovery.projects import SmallProject


@pytest.fixture
def project(tmp_path: Path) -> SmallProject:
    return SmallProject(tmp_path)
