"""Who prepares claims is told of them before their commit, and in time whether that is on disk."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from defer_cli.domain.enqueue import Enqueue, Refused, Stored
from defer_cli.domain.errors import StoreError
from defer_cli.domain.log_chunk import LogChunk
from defer_cli.domain.states import State
from defer_cli.store.contract import Claim
from tests.store.harness import call, limits
from tests.unit.store.harness import DEADLINE_SECONDS, Desk

LINE = b"\x91\x93\x01\xa6stdout\xa1a"


class Preparer:
    """Notes what it is told, and by which thread; it grants the slots of what was undone, as it must."""

    def __init__(self) -> None:
        self.desk: Desk
        self.announced: list[tuple[int, list[str]]] = []
        self.committed: list[tuple[int, str]] = []
        self.failed: list[tuple[int, list[str]]] = []
        self.has_heard = asyncio.Event()

    def claimed_ahead(self, commit: int, claim: Claim) -> None:
        self.announced.append((commit, [running.id for running in claim.started]))
        self.has_heard.set()

    def may_begin(self, commit: int) -> None:
        self.committed.append((commit, threading.current_thread().name))

    def undone(self, commit: int, claim: Claim) -> None:
        self.failed.append((commit, [running.id for running in claim.started]))
        self.desk.writer.grant(len(claim.started))


@pytest.fixture
async def preparer(tmp_path: Path) -> AsyncIterator[Preparer]:
    preparer = Preparer()
    desk = preparer.desk = Desk(tmp_path / "defer.db", ahead=preparer)
    desk.writer.start()
    desk.writer.grant(1)
    desk.writer.set_functions(limits())
    await desk.barrier()
    yield preparer
    desk.store.may_commit.set()
    desk.store.may_sync.set()
    await desk.writer.stop()


async def test_a_claim_is_announced_while_its_commit_is_on_its_way(preparer: Preparer) -> None:
    desk = preparer.desk
    desk.store.may_commit.clear()
    promise = desk.promise(call(id="x"))
    async with asyncio.timeout(DEADLINE_SECONDS):
        await preparer.has_heard.wait()
    was_committed, was_stored, was_delivered = list(preparer.committed), desk.states(), desk.started()
    desk.store.may_commit.set()
    await promise
    await desk.until(lambda: bool(desk.started()))

    assert preparer.announced == [(1, ["x"])]
    assert (was_committed, was_stored, was_delivered) == ([], {}, [])
    assert preparer.committed == [(1, "defer-writer")]
    assert desk.states() == {"x": State.STARTED}


async def test_a_claim_of_nothing_is_not_announced(preparer: Preparer) -> None:
    await preparer.desk.enqueue(call(function="another"))

    assert (preparer.announced, preparer.committed) == ([], [])


async def test_each_commit_that_starts_something_has_a_number_of_its_own(preparer: Preparer) -> None:
    desk = preparer.desk
    await desk.enqueue(call(id="x"))
    desk.writer.grant(1)
    await desk.enqueue(call(id="y"))
    await desk.until(lambda: len(desk.started()) == 2)

    assert preparer.announced == [(1, ["x"]), (2, ["y"])]
    assert [commit for commit, _ in preparer.committed] == [1, 2]


async def test_a_claim_whose_commit_fails_is_undone_and_made_again(preparer: Preparer) -> None:
    desk = preparer.desk
    desk.store.failure = StoreError("the disk is full")
    with pytest.raises(StoreError):
        await desk.enqueue(call(id="x"))
    desk.store.failure = None
    await desk.until_well()
    await desk.enqueue(call(id="y"))
    await desk.until(lambda: bool(desk.started()))

    assert preparer.failed == [(1, ["x"])]
    assert preparer.announced == [(1, ["x"]), (2, ["y"])]
    assert [commit for commit, _ in preparer.committed] == [2]
    assert desk.writer.free_slots == 0


async def test_what_fails_before_a_claim_is_announced_leaves_its_slots_free(preparer: Preparer) -> None:
    desk = preparer.desk
    desk.store.logs_failure = StoreError("no room for logs")
    with desk.shut(lambda: desk.writer.submit(lambda store: None)):
        promise = desk.promise(call(id="x"))
        desk.writer.write_logs([LogChunk(1, 1, 0, LINE)])
    with pytest.raises(StoreError):
        await promise
    desk.store.logs_failure = None
    await desk.until_well()

    assert (preparer.announced, desk.writer.free_slots) == ([], 1)


async def _while_it_is_synced(desk: Desk, one: Enqueue) -> asyncio.Future[list[Stored | Refused]]:
    """Hold the sync of a call; return its promise once its commit is written."""
    desk.store.is_syncing.clear()
    desk.store.may_sync.clear()
    promise = desk.promise(one)
    assert await asyncio.to_thread(desk.store.is_syncing.wait, DEADLINE_SECONDS)
    return promise


async def test_a_call_that_nobody_has_heard_of_begins_before_the_disk_has_it(preparer: Preparer) -> None:
    desk = preparer.desk
    promise = await _while_it_is_synced(desk, call(id="x"))
    was_committed, was_answered, was_delivered = list(preparer.committed), promise.done(), desk.started()
    desk.store.may_sync.set()
    await promise
    await desk.until(lambda: bool(desk.started()))

    assert preparer.announced == [(1, ["x"])]
    assert was_committed == preparer.committed == [(1, "defer-writer")]
    assert (was_answered, was_delivered) == (False, [])


async def test_a_call_that_can_be_asked_for_by_its_key_begins_once_the_disk_has_it(preparer: Preparer) -> None:
    desk = preparer.desk
    promise = await _while_it_is_synced(desk, call(id="x", key="k"))
    was_committed = list(preparer.committed)
    desk.store.may_sync.set()
    await promise

    assert (was_committed, preparer.committed) == ([], [(1, "defer-writer")])
