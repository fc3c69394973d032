"""A writer tells whether the store takes what it is given."""

from __future__ import annotations

import pytest

from defer_cli.domain.errors import StoreError
from tests.store.harness import call
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
