"""An attempt always reports its end, whatever the function does, and harms no neighbour."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from defer_cli.client.context import AttemptScope, Handle, current_execution, scope_here
from defer_cli.domain.errors import CallRefused, DeferError
from tests.unit.workers.harness import Bench


async def test_what_a_function_returns_is_its_result() -> None:
    async def add(a: int, b: int) -> int:
        return a + b

    bench = Bench(add)
    bench.start(b"[1,2]")

    assert (await bench.outcome()).result == b"3"


async def test_keyword_arguments_arrive_by_name() -> None:
    async def add(a: int, *, b: int) -> int:
        return a - b

    bench = Bench(add)
    bench.start(b'{"args":[1],"kwargs":{"b":2}}')

    assert (await bench.outcome()).result == b"-1"


async def test_none_is_no_result() -> None:
    async def nothing() -> None: ...

    bench = Bench(nothing)
    bench.start(None)

    assert (await bench.outcome()).result is None
    assert (await bench.outcome()).error is None


async def test_a_cancel_before_the_first_step_is_reported() -> None:
    async def never() -> None:
        raise AssertionError

    bench = Bench(never)
    bench.start(b"[]")
    bench.cancel()

    assert (await bench.error()).type == "asyncio.exceptions.CancelledError"


async def test_an_attempt_that_a_neighbour_cancels_before_its_first_step_is_reported() -> None:
    async def cancel_all() -> None:
        for task in asyncio.all_tasks() - {asyncio.current_task(), test}:
            task.cancel()

    async def never() -> None:
        raise AssertionError

    test = asyncio.current_task()
    bench = Bench(cancel_all, never)
    bench.start(b"[]")
    bench.start(b"[]", b"[]", function=1, seq=2)

    assert [(await bench.error(seq)).type for seq in (2, 3)] == ["asyncio.exceptions.CancelledError"] * 2


async def test_the_end_of_an_earlier_attempt_is_not_taken_for_that_of_the_next() -> None:
    async def attempt() -> int:
        return current_execution().attempt

    bench = Bench(attempt)
    bench.start(b"[]")
    await bench.pipe.until(lambda: bool(bench.pipe.outcomes))
    bench.start(b"[]", attempt=2)
    await bench.pipe.until(lambda: len(bench.pipe.outcomes) == 2)

    assert [(item.attempt, item.result) for item in bench.pipe.outcomes] == [(1, b"1"), (2, b"2")]


async def test_an_exception_of_code_without_a_file_name_is_reported() -> None:
    async def bad() -> None:
        eval(compile("1/0", "", "eval"))

    bench = Bench(bad)
    bench.start(b"[]")

    assert (await bench.error()).type == "ZeroDivisionError"


async def test_a_cancel_reaches_the_function() -> None:
    began = asyncio.Event()
    heard = []

    async def wait() -> str:
        try:
            began.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            heard.append("cancelled")
            raise
        return ""

    bench = Bench(wait)
    bench.start(b"[]")
    await began.wait()
    bench.cancel()

    assert (await bench.error()).type.endswith("CancelledError")
    assert heard == ["cancelled"]


async def test_a_cancel_of_another_attempt_changes_nothing() -> None:
    go = asyncio.Event()

    async def wait() -> str:
        await go.wait()
        return "done"

    bench = Bench(wait)
    bench.start(b"[]", attempt=2)
    await asyncio.sleep(0)
    bench.cancel(attempt=1)
    go.set()

    assert (await bench.outcome()).result == b'"done"'


@pytest.mark.parametrize(
    "raised",
    [
        SystemExit(3),
        KeyboardInterrupt(),
        BaseExceptionGroup("many", [SystemExit(1), ValueError("x")]),
        GeneratorExit(),
        asyncio.CancelledError(),
    ],
    ids=lambda raised: type(raised).__name__,
)
async def test_whatever_is_raised_fails_its_own_attempt_only(raised: BaseException) -> None:
    async def bad() -> None:
        raise raised

    async def good() -> int:
        await asyncio.sleep(0)
        return 1

    bench = Bench(bad, good)
    bench.start(b"[]")
    bench.start(b"[]", function=1, seq=2)

    assert (await bench.error()).type.rpartition(".")[2] == type(raised).__name__
    assert (await bench.outcome(2)).result == b"1"


async def test_a_failure_may_be_tried_again() -> None:
    async def fail() -> None:
        raise ValueError("no")

    bench = Bench(fail)
    bench.start(b"[]")
    error = await bench.error()

    assert (error.type, error.message, error.is_retryable) == ("ValueError", "no", True)


async def test_a_result_that_is_not_json_is_not_tried_again() -> None:
    async def bad() -> object:
        return {"a": [object()]}

    bench = Bench(bad)
    bench.start(b"[]")
    error = await bench.error()

    assert error.message.startswith("result.a[0]: object is not JSON")
    assert error.is_retryable is False


async def test_a_result_over_the_limit_is_not_tried_again() -> None:
    async def bad() -> str:
        return "x" * 1024 * 1024

    bench = Bench(bad)
    bench.start(b"[]")

    assert (await bench.error()).is_retryable is False


async def test_a_handle_as_result_is_told_apart() -> None:
    async def bad() -> object:
        return Handle()

    bench = Bench(bad)
    bench.start(b"[]")
    error = await bench.error()

    assert "return compute(x).id" in error.message
    assert error.is_retryable is False


async def test_arguments_that_no_longer_fit_are_not_tried_again() -> None:
    async def one(a: int) -> None: ...

    bench = Bench(one)
    bench.start(b"[1,2]")
    error = await bench.error()

    assert "the arguments no longer fit" in error.message
    assert error.is_retryable is False


async def test_a_type_error_of_the_function_itself_is_tried_again() -> None:
    async def bad() -> None:
        raise TypeError("of its own")

    bench = Bench(bad)
    bench.start(b"[]")

    assert (await bench.error()).is_retryable is True


async def test_a_function_that_could_not_be_imported_is_tried_again() -> None:
    bench = Bench()
    bench.attempts._names[0] = "gone"
    bench.start(b"[]")
    error = await bench.error()

    assert (error.type, error.is_retryable) == ("ImportError", True)


async def test_tasks_left_over_are_cancelled_and_named() -> None:
    ended = asyncio.Event()

    async def linger() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def leave() -> None:
        task = asyncio.create_task(linger(), name="poller")
        await asyncio.sleep(0)
        assert not task.done()

    bench = Bench(leave)
    bench.start(b"[]")
    await bench.outcome()
    await asyncio.wait_for(ended.wait(), 5)
    await bench.pipe.until(lambda: bool(bench.pipe.lines()))

    assert bench.pipe.lines() == [("stderr", "defer: task 'poller' was still running and is cancelled")]


async def test_tasks_of_other_attempts_are_left_alone() -> None:
    go = asyncio.Event()

    async def wait() -> str:
        await asyncio.create_task(go.wait())
        return "done"

    async def short() -> None: ...

    bench = Bench(wait, short)
    bench.start(b"[]")
    await asyncio.sleep(0)
    bench.start(b"[]", function=1, seq=2)
    await bench.outcome(2)
    go.set()

    assert (await bench.outcome(1)).result == b'"done"'


async def test_the_function_knows_its_execution() -> None:
    async def ask() -> list[object]:
        here = current_execution()
        return [here.id, here.function, here.attempt]

    bench = Bench(ask)
    bench.start(b"[]", attempt=3)

    assert (await bench.outcome()).result == b'["id1","ask",3]'


class _Refused:
    """A call made inside a function that was refused and that nobody has awaited."""

    is_heard = False

    def __await__(self) -> Iterator[None]:
        yield from ()

    def hear(self) -> DeferError | None:
        self.is_heard = True
        return CallRefused("it holds other arguments")


async def test_a_refusal_nobody_heard_fails_the_attempt() -> None:
    async def call() -> int:
        scope = scope_here()
        assert isinstance(scope, AttemptScope)
        scope.refused.append(_Refused())  # type: ignore[arg-type]
        return 1

    bench = Bench(call)
    bench.start(b"[]")
    error = await bench.error()

    assert error.type.endswith("CallRefused")
    assert error.is_retryable is True
