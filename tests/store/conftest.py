"""Every engine passes the same suite: the fixtures open each in turn, in memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from defer_cli.store.contract import Reader, Store
from tests.in_memory import folders, tmp_path
from tests.store.harness import ENGINES, Clock, Engine

__all__ = ["folders", "tmp_path"]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=sorted(ENGINES))
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    return ENGINES[request.param](tmp_path)


@pytest.fixture
def store(engine: Engine, clock: Clock) -> Iterator[Store]:
    store = engine.open(clock)
    yield store
    store.close()


@pytest.fixture
def reader(store: Store, engine: Engine) -> Iterator[Reader]:
    reader = engine.read()
    yield reader
    reader.close()
