"""One console a test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.unit.console.harness import Console


@pytest_asyncio.fixture
async def console(tmp_path: Path) -> AsyncIterator[Console]:
    console = Console(tmp_path)
    yield console
    await console.close()
