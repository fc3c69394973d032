"""One writer a test, at work."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.store.harness import Desk


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    desk = Desk(tmp_path / "defer.db")
    desk.writer.start()
    yield desk
    desk.store.may_commit.set()
    await desk.writer.stop()
