"""A stop drains, then asks, then kills, and loses nothing."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from defer_cli.domain.settle import Isolation
from tests.unit.engine.harness import Stage, raised, returned, running

SOON = timedelta(seconds=10)


async def test_a_drain_claims_nothing_more_also_after_a_reload() -> None:
    stage = Stage(workers=1)
    await stage.dispatcher.drain(SOON, hurry=asyncio.Event())
    stage.dispatcher.set_functions(stage.pool.specs)

    assert stage.writer.functions == {}


async def test_a_drain_puts_back_what_found_no_worker() -> None:
    stage = Stage(workers=1)
    stage.workers[0].die()
    stage.claim(running(1))
    await stage.dispatcher.drain(SOON, hurry=asyncio.Event())

    assert stage.moves() == [("id1", "interrupt")]
    assert stage.writer.functions == {}


async def test_a_drain_waits_for_what_runs() -> None:
    stage = Stage(workers=1)
    stage.claim(running(1))
    drain = asyncio.create_task(stage.dispatcher.drain(SOON, hurry=asyncio.Event()))
    await asyncio.sleep(0.01)
    was_done = drain.done()
    stage.report(stage.workers[0], returned())
    stage.commit()
    await asyncio.wait_for(drain, 5)

    assert was_done is False
    assert stage.workers[0].cancelled == []


async def test_a_drain_asks_what_runs_longer_to_end_and_interrupts_it() -> None:
    stage = Stage(workers=1)
    worker = stage.workers[0]
    stage.claim(running(1))
    drain = asyncio.create_task(stage.dispatcher.drain(timedelta(0), hurry=asyncio.Event()))
    await asyncio.wait_for(worker.was_cancelled.wait(), 5)
    stage.report(worker, raised())
    (move,) = stage.commit()
    await asyncio.wait_for(drain, 5)

    assert (move.name, move.charged, move.isolation) == ("interrupt", 0, Isolation.NONE)


async def test_a_normal_return_counts_during_a_stop() -> None:
    stage = Stage(workers=1)
    worker = stage.workers[0]
    stage.claim(running(1))
    drain = asyncio.create_task(stage.dispatcher.drain(timedelta(0), hurry=asyncio.Event()))
    await asyncio.wait_for(worker.was_cancelled.wait(), 5)
    stage.report(worker, returned())
    (move,) = stage.commit()
    await asyncio.wait_for(drain, 5)

    assert move.name == "succeed"


async def test_a_hurried_drain_kills_at_once() -> None:
    stage = Stage(workers=1)
    worker = stage.workers[0]
    stage.claim(running(1))
    hurry = asyncio.Event()
    hurry.set()
    drain = asyncio.create_task(stage.dispatcher.drain(SOON, hurry=hurry))
    await asyncio.wait_for(worker.was_killed.wait(), 5)
    worker.die()
    (move,) = stage.commit()
    await asyncio.wait_for(drain, 5)

    assert (move.name, move.isolation) == ("interrupt", Isolation.NONE)


async def test_a_claim_that_comes_during_a_drain_without_workers_is_put_back() -> None:
    stage = Stage(workers=0)
    await stage.dispatcher.drain(timedelta(0), hurry=asyncio.Event())
    stage.claim(running(1))

    assert stage.moves() == [("id1", "interrupt")]
