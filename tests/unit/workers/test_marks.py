"""The marks say which attempt takes a step; what is marked behaves as if it were not."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from typing import Any

import pytest

from defer_cli.link.frames import CancelItem, StartItem
from defer_cli.workers.attempts import Attempts
from defer_cli.workers.marks import Marked, Marks
from tests.unit.workers.harness import PROJECT, FakePipe


@pytest.fixture
def marks() -> Iterator[Marks]:
    marks = Marks.make()
    yield marks
    marks.close()


class Bench:
    """Runs one function as an attempt whose steps are marked."""

    def __init__(self, marks: Marks, function: Any) -> None:
        self.pipe = FakePipe()
        self.attempts = Attempts(
            asyncio.get_running_loop(), self.pipe, {0: function}, {0: "f"}, project=PROJECT, mark=marks.marker()
        )

    def start(self, *seqs: int) -> None:
        self.attempts.start([StartItem(seq, f"id{seq}", 1, 0, None, 0) for seq in seqs])

    async def until_ended(self, count: int = 1) -> None:
        await self.pipe.until(lambda: len(self.pipe.outcomes) == count)


async def test_a_step_is_marked_with_its_attempt_and_no_longer(marks: Marks) -> None:
    seen = []

    async def function() -> None:
        for _ in range(2):
            seen.append(marks.step)
            await asyncio.sleep(0)

    bench = Bench(marks, function)
    bench.start(7, 8)
    await bench.until_ended(2)

    steps = [step for step, _ in seen]
    assert [seq for _, seq in seen] == [7, 8, 7, 8]
    assert steps == sorted(set(steps))
    assert marks.step[1] == 0


async def test_the_steps_of_tasks_are_those_of_the_attempt_that_made_them(marks: Marks) -> None:
    seen = []

    async def part() -> str:
        await asyncio.sleep(0)
        seen.append(marks.step[1])
        return "done"

    async def function() -> str:
        return (await asyncio.gather(part(), asyncio.create_task(part())))[0]

    bench = Bench(marks, function)
    bench.start(7)
    await bench.until_ended()

    assert seen == [7, 7]
    assert bench.pipe.outcomes[0].result == b'"done"'


async def test_a_step_within_a_step_gives_the_mark_back(marks: Marks) -> None:
    mark = marks.marker()

    async def inner() -> int:
        return marks.step[1]

    async def outer() -> tuple[int, int]:
        with pytest.raises(StopIteration) as ended:
            Marked(mark, 2, inner()).send(None)
        return ended.value.value, marks.step[1]

    assert await mark(1, outer()) == (2, 1)


async def test_a_cancel_reaches_what_is_marked(marks: Marks) -> None:
    heard = []
    began = asyncio.Event()

    async def part() -> None:
        try:
            began.set()
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            heard.append(marks.step[1])
            raise

    async def function() -> None:
        await asyncio.create_task(part())

    bench = Bench(marks, function)
    bench.start(7)
    await began.wait()
    bench.attempts.cancel([CancelItem(7, 1)])
    await bench.until_ended()

    error = bench.pipe.outcomes[0].error
    assert error is not None
    assert error.type == "asyncio.exceptions.CancelledError"
    assert heard == [7]


async def test_a_task_that_is_cancelled_before_its_first_step_takes_none(marks: Marks) -> None:
    async def never() -> None:
        raise AssertionError

    async def function() -> None:
        task = asyncio.create_task(never())
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    bench = Bench(marks, function)
    bench.start(7)
    await bench.until_ended()

    assert bench.pipe.outcomes[0].error is None


async def test_a_task_shows_its_own_coroutine(marks: Marks) -> None:
    shown = []

    async def part() -> None:
        await asyncio.sleep(0)

    async def function() -> None:
        task = asyncio.create_task(part())
        await asyncio.sleep(0)
        coroutine: Any = task.get_coro()
        assert asyncio.iscoroutine(task.get_coro())
        shown.extend([coroutine.__qualname__, task.get_stack()[0].f_code.co_name, repr(task)])
        await task

    bench = Bench(marks, function)
    bench.start(7)
    await bench.until_ended()

    assert bench.pipe.outcomes[0].error is None
    assert shown[:2] == [part.__qualname__, "part"]
    assert "part() running at" in shown[2]


async def test_an_exception_is_not_kept_alive_by_the_marks(marks: Marks) -> None:
    mark = marks.marker()
    gc.collect()

    async def wait() -> None:
        await asyncio.sleep(60)

    async def run() -> None:
        await mark(7, wait())

    task = asyncio.ensure_future(run())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    del task

    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        gc.collect()
        kept = [one for one in gc.garbage if isinstance(one, asyncio.CancelledError)]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
    assert kept == []


async def test_what_is_closed_ends_in_order(marks: Marks) -> None:
    ended = []

    async def wait() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("wait")

    coroutine = marks.marker()(7, wait())
    coroutine.send(None)
    coroutine.close()

    assert ended == ["wait"]
