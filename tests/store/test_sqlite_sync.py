"""The SQLite engine syncs each commit itself: what may begin earlier begins before, who reads waits for it."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from defer_cli.domain.errors import StoreError
from defer_cli.reports import Reports
from defer_cli.store.contract import Reader
from defer_cli.store.sqlite import open_reader, open_store
from tests.store.harness import call, claim, enqueue, insert, undone

DEADLINE_SECONDS = 10
Steps = list[str]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "defer.db"


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    """Note each sync, by the name of its file; it still is one."""
    steps: Steps = []
    sync = os.fdatasync

    def noted(descriptor: int) -> None:
        sync(descriptor)
        steps.append(f"synced {_name_of(descriptor)}")

    monkeypatch.setattr("defer_cli.store.sqlite.log_sync.os.fdatasync", noted)
    return steps


def _name_of(descriptor: int) -> str:
    return Path(os.readlink(f"/proc/self/fd/{descriptor}")).name


@pytest.mark.parametrize("is_brief", [False, True])
def test_every_commit_waits_for_the_disk(path: Path, steps: Steps, is_brief: bool) -> None:
    with closing(open_store(path, is_brief=is_brief)) as store:
        for _ in range(2):
            insert(store, call())
            steps.append("returned")

    assert steps == ["synced defer.db-wal", "returned"] * 2


def test_what_is_told_between_commit_and_sync_can_be_read(path: Path, steps: Steps) -> None:
    one = call()
    with closing(open_store(path)) as store, closing(open_reader(path)) as reader:

        def look() -> None:
            steps.append(f"can be read: {reader.get(one.id) is not None}")

        with store.transaction(look):
            store.insert([one])
            look()

    assert steps == ["can be read: False", "can be read: True", "synced defer.db-wal"]


def test_a_transaction_that_fails_tells_nothing(path: Path, steps: Steps) -> None:
    with closing(open_store(path)) as store, undone(store.transaction(lambda: steps.append("told"))):
        store.insert([call()])

    assert steps == []


def test_what_has_changed_nothing_is_not_synced(path: Path, steps: Steps) -> None:
    with closing(open_store(path)) as store:
        claim(store)

    assert steps == []


def test_a_store_for_the_time_of_a_test_waits_for_no_disk(path: Path, steps: Steps) -> None:
    with closing(open_store(path, is_lasting=False)) as store:
        insert(store, call())
        store.wait_for_disk()

    assert steps == []


def test_after_a_sync_that_failed_nothing_is_certain(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    store = open_store(path)
    enqueue(store)
    monkeypatch.setattr("defer_cli.store.sqlite.log_sync.os.fdatasync", fail)
    with pytest.raises(StoreError, match=r"disk I/O error at the sync of its log \(Input/output error\)") as caught:
        insert(store, call())
    store.abandon()

    assert (caught.value.is_fatal, caught.value.where) == (True, str(path.with_name("defer.db-wal")))
    assert caught.value.mend is not None


async def test_who_asks_is_told_once_it_is_on_disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    is_syncing, may_sync = threading.Event(), threading.Event()

    def held(descriptor: int) -> None:
        is_syncing.set()
        assert may_sync.wait(DEADLINE_SECONDS)

    with closing(open_store(path)) as store:
        reports = Reports(lambda: open_reader(path), wait_for_disk=store.wait_for_disk)
        read = threading.Event()
        monkeypatch.setattr("defer_cli.store.sqlite.log_sync.os.fdatasync", held)
        writing = threading.Thread(target=insert, args=(store, call(id="x")))
        writing.start()
        assert is_syncing.wait(DEADLINE_SECONDS)
        was_told_before, found = await _told_before(may_sync, read, reports)
        writing.join()
        reports.close()

    assert (was_told_before, found) == (False, True)


async def _told_before(may_sync: threading.Event, read: threading.Event, reports: Reports) -> tuple[bool, bool]:
    """Ask while a sync is held; let it go once the answer is known, and return whether that was given before."""

    def question(reader: Reader) -> bool:
        read.set()
        return reader.get("x") is not None

    asked = asyncio.ensure_future(reports.read(question))
    assert await asyncio.to_thread(read.wait, DEADLINE_SECONDS)
    done, _ = await asyncio.wait([asked], timeout=0.1)
    may_sync.set()
    return bool(done), await asked


@pytest.mark.parametrize("how", ["close", "abandon"])
def test_a_closed_store_holds_no_file(path: Path, how: str) -> None:
    store = open_store(path)
    insert(store, call())
    before = _held(path)
    close: Callable[[], None] = getattr(store, how)
    close()

    assert "defer.db-wal" in before
    assert _held(path) == []


def _held(path: Path) -> list[str]:
    links = []
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            target = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        except OSError:
            continue
        if target.parent == path.parent:
            links.append(target.name)
    return sorted(links)
