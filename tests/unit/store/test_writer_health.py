"""A writer tells whether the store takes what it is given."""

from __future__ import annotations

from pathlib import Path

import pytest

from defer_cli.domain.errors import StoreError, StoreFull
from defer_cli.domain.states import State
from tests.store.harness import call, limits, succeed
from tests.unit.store.harness import Desk


async def test_a_refusal_is_told_until_the_store_takes_something_again(desk: Desk) -> None:
    desk.store.failure = StoreError("the disk is full")
    with pytest.raises(StoreError):
        await desk.enqueue(call(id="x"))
    refused = desk.writer.refusal
    desk.store.failure = None
    await desk.until_well()

    assert refused is not None
    assert refused.problem == "the disk is full"


async def test_a_commit_of_nothing_does_not_end_a_refusal(desk: Desk) -> None:
    desk.store.failure = StoreError("the disk is full")
    with pytest.raises(StoreError):
        await desk.enqueue(call(id="x"))
    desk.store.failure, desk.store.touch_failure = None, StoreError("still full")
    await desk.barrier()
    await desk.until_touched(2)
    refused = desk.writer.refusal
    desk.store.touch_failure = None
    await desk.until_well()

    assert refused is not None
    assert refused.problem == "still full"


async def test_a_log_that_takes_a_little_more_does_not_end_a_refusal(desk: Desk) -> None:
    desk.store.failure = StoreError("the disk is full")
    with pytest.raises(StoreError):
        await desk.enqueue(call(id="x"))
    desk.store.failure, desk.store.checkpoint_failure = None, StoreError("no room for the log")
    await desk.barrier()
    await desk.until_touched(2)
    refused = desk.writer.refusal
    desk.store.checkpoint_failure = None
    await desk.until_well()

    assert refused is not None
    assert refused.problem == "no room for the log"


async def test_commits_are_counted_and_refused_ones_are_not(desk: Desk) -> None:
    await desk.barrier()
    before = desk.writer.commits
    await desk.barrier()
    desk.store.failure = StoreError("the disk is full")
    with pytest.raises(StoreError):
        await desk.barrier()

    assert desk.writer.commits == before + 1


async def test_on_a_full_disk_outcomes_are_written_and_nothing_is_begun(desk: Desk) -> None:
    desk.writer.set_functions(limits())
    desk.writer.grant(1)
    await desk.enqueue(call(id="x"), call(id="waits"))
    (running,) = desk.started()
    desk.store.has_room = False
    desk.store.failure = StoreFull("the disk is full")
    with pytest.raises(StoreFull):
        await desk.enqueue(call(id="y"))
    desk.store.failure = None
    desk.writer.settle([succeed(running)])
    desk.writer.grant(1)
    await desk.until(lambda: bool(desk.applied))
    with pytest.raises(StoreFull, match="no new work"):
        await desk.enqueue(call(id="z"))
    on_full = desk.states()
    desk.store.has_room = True
    await desk.until(lambda: len(desk.started()) == 2)

    assert on_full == {"x": State.SUCCEED, "waits": State.CREATED}
    assert desk.writer.refusal is None


async def test_on_a_full_disk_what_finds_no_room_takes_nothing_along(desk: Desk) -> None:
    desk.store.has_room = False
    desk.store.failure = StoreFull("the disk is full")
    with pytest.raises(StoreFull):
        await desk.barrier()
    desk.store.failure = None
    with desk.shut(desk.promise):
        refused, answered = desk.promise(call(id="x")), desk.writer.submit(lambda store: store.results(["x"]))

    assert await answered == {}
    with pytest.raises(StoreFull):
        await refused


async def test_a_checkpoint_without_room_makes_room_before_a_call_is_lost(desk: Desk) -> None:
    desk.store.has_room = False
    desk.store.checkpoint_failure = StoreFull("no room to fold the log")
    await desk.enqueue(call(id="x"))
    await desk.until_refusing()
    desk.store.checkpoint_failure = None
    with pytest.raises(StoreFull, match="no new work"):
        await desk.enqueue(call(id="y"))
    desk.store.has_room = True
    await desk.until_well()

    assert desk.states() == {"x": State.CREATED}


@pytest.mark.parametrize("failure", [StoreError("disk I/O error", is_fatal=True), StoreFull("the disk is full")])
async def test_a_store_that_fails_as_it_is_closed_is_told_and_stops_the_runner_where_that_is_fatal(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, failure: StoreError
) -> None:
    desk = Desk(tmp_path / "defer.db")
    desk.store.close_failure = failure
    desk.writer.start()
    await desk.writer.stop()

    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("ERROR", "the store could not be closed")
    ]
    assert desk.fatal == ([failure] if failure.is_fatal else [])


async def test_a_fatal_failure_stops_the_runner(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    desk.store.failure = StoreError("damaged", is_fatal=True)
    with pytest.raises(StoreError):
        await desk.enqueue(call())
    desk.store.failure = None

    assert [str(error) for error in desk.fatal] == ["damaged"]
    assert caplog.records == []  # the runner ends with it, and tells why
