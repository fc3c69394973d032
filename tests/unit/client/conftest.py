"""A project with one function, and a sender of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from threading import local
from typing import Any

import pytest

from defer_cli.client import process
from defer_cli.client.lanes import forget_lanes
from defer_cli.client.sender import Sender
from defer_cli.domain.call_options import NO_OPTIONS, CallOptions
from defer_cli.link.project import DataFolder
from tests.unit.client.fake_runner import FakeRunner


async def _compute(number: Any, other: int = 0) -> int:
    return 0


@dataclass
class Function:
    """What a call needs to know of a background function."""

    file: str
    fn: Any = _compute
    name: str = "compute"
    call_options: CallOptions = NO_OPTIONS

    def with_options(self, **options: Any) -> Function:
        return replace(self, call_options=NO_OPTIONS.merged(**options))


@pytest.fixture(autouse=True)
def may_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the thread of the tests wait: an earlier one may have brought itself an answer on it."""
    monkeypatch.setattr("defer_cli.client.routes._here", local())


@pytest.fixture
def compute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Function]:
    monkeypatch.delenv("DEFER_DATA", raising=False)
    folder = tmp_path / "src" / "defer"
    folder.mkdir(parents=True)
    file = folder / "compute.py"
    file.touch()
    fresh = Sender()
    monkeypatch.setattr(process, "_sender", fresh)
    function = Function(str(file))
    monkeypatch.setattr("defer_cli.client.lanes.definitions", lambda: (function,))
    forget_lanes()
    yield function
    forget_lanes()


@pytest.fixture
def folder(compute: Function, tmp_path: Path) -> DataFolder:
    return DataFolder(str(tmp_path / ".defer"))


@pytest.fixture
def runner(folder: DataFolder) -> Iterator[FakeRunner]:
    with FakeRunner(folder) as running:
        yield running
