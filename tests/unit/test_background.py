"""What `defer` makes of a function, and what it refuses."""

from __future__ import annotations

import copy
import functools
import inspect
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from defer_cli import BackgroundFunction, DeferError, DefinitionError, RetryPolicy, assign_options, defer
from defer_cli.definitions import definitions

HERE = str(Path(__file__))


@defer(concurrency=3)
async def compute(user_id: int, *, text: str = "") -> str:
    """Compute it."""
    return text * user_id


@defer.cron("0 8 * * MON", catch_up="none")
async def weekly() -> None:
    """Do it weekly."""


async def _plain(user_id: int = 0) -> None: ...


async def _nightly() -> None: ...


default = defer.cron(_nightly, "5 0 * * *")


async def _generator() -> Any:
    yield 1


def _sync() -> None: ...


class _Service:
    async def send(self) -> None: ...

    def __call__(self) -> None: ...


def test_a_wrapper_looks_like_its_function() -> None:
    wrapped: Any = compute

    assert (wrapped.__name__, wrapped.__qualname__, wrapped.__module__) == ("compute", "compute", __name__)
    assert wrapped.__doc__ == "Compute it."
    assert str(inspect.signature(wrapped)) == "(user_id: 'int', *, text: 'str' = '') -> 'str'"
    assert wrapped.__globals__ is globals()  # where frameworks evaluate those annotations


def test_a_wrapper_cannot_be_unwrapped_by_frameworks() -> None:
    assert not hasattr(compute, "__wrapped__")
    assert not inspect.iscoroutinefunction(compute)


def test_the_class_of_wrappers_keeps_its_own_signature() -> None:
    assert "definition" in inspect.signature(BackgroundFunction).parameters


def test_a_wrapper_knows_where_and_how_it_was_defined() -> None:
    assert (compute.name, compute.file, compute.line) == ("compute", HERE, compute.fn.__code__.co_firstlineno)
    assert compute.options.concurrency == 3


async def test_the_plain_function_can_be_awaited_in_tests() -> None:
    assert await compute.fn(2, text="a") == "aa"


def test_its_repr_names_module_and_options() -> None:
    assert repr(compute) == f"<BackgroundFunction {__name__}.compute>"
    assert "key='k'" in repr(assign_options(compute, key="k"))
    assert repr(weekly) == f"<CronFunction {__name__}.weekly '0 8 * * MON'>"


def test_a_cron_keeps_its_schedule_as_written() -> None:
    assert (weekly.schedule, weekly.options.catch_up) == ("0 8 * * MON", "none")


def test_calling_a_cron_says_how_to_trigger_it() -> None:
    call: Callable[[], object] = weekly  # type: ignore[assignment]  # what a type checker refuses, too

    with pytest.raises(DeferError, match="`defer trigger weekly`"):
        call()


@pytest.mark.parametrize("make", [copy.copy, copy.deepcopy])
def test_a_copy_of_a_wrapper_is_the_wrapper(make: Callable[[object], object]) -> None:
    assert make(compute) is compute
    assert make(weekly) is weekly


@pytest.mark.parametrize("wrapper", [compute, weekly])
def test_a_wrapper_is_pickled_by_name(wrapper: Any) -> None:
    assert pickle.loads(pickle.dumps(wrapper)).fn is wrapper.fn


def test_a_pickled_copy_keeps_its_options() -> None:
    assert pickle.loads(pickle.dumps(assign_options(compute, key="k"))).call_options.key == "k"


def test_a_function_bound_to_default_is_found_by_its_pickle() -> None:
    assert pickle.loads(pickle.dumps(default)) is default


def test_retry_takes_the_fields_of_a_policy() -> None:
    assert defer(_plain, retry={"max_attempts": 2}).options.retry == RetryPolicy(max_attempts=2)


def test_a_definition_is_recorded_and_a_copy_is_not() -> None:
    before = len(definitions())
    wrapped = defer(_plain)
    assign_options(wrapped, key="k")

    assert [definition.fn for definition in definitions()[before:]] == [_plain]


def _helper(fn: Any) -> Any:
    return defer(fn)


def test_a_definition_made_in_a_function_belongs_to_the_module_that_runs_it(tmp_path: Path) -> None:
    file = tmp_path / "user.py"
    code = compile("\nmade = helper(plain)\n", str(file), "exec")
    space: dict[str, Any] = {"helper": _helper, "plain": _plain}

    exec(code, space)

    assert (space["made"].file, space["made"].line) == (str(file), 2)


def _wrapped_sync() -> Any:
    @functools.wraps(_plain)
    def inner() -> object:
        return _plain()

    return inner


def _closed_over_sync() -> Any:
    fn = _plain

    def inner() -> object:
        return fn()

    return inner


@pytest.mark.parametrize(
    ("wrapped", "code", "words"),
    [
        (_sync, "DEF004", "asyncio.to_thread"),
        (_generator, "DEF004", "async generator"),
        (_wrapped_sync(), "DEF004", "sync wrapper around the async function '_plain'"),
        (_closed_over_sync(), "DEF004", "sync wrapper around the async function '_plain'"),
        (lambda: None, "DEF009", "a lambda"),
        (functools.partial(_plain, 1), "DEF009", "functools.partial"),
        (_Service(), "DEF009", "a _Service object"),
        (_Service, "DEF009", "the class '_Service'"),
        (_Service().send, "DEF009", "the bound method '_Service.send'"),
        (staticmethod(_plain), "DEF009", "a staticmethod object"),
        (3, "DEF009", "an int object"),
        (compute, "DEF009", "wrapped already"),
        (weekly, "DEF009", "wrapped already"),
        ("0 8 * * MON", "DEF010", "@defer.cron"),
    ],
)
def test_what_cannot_run_in_the_background_is_refused(wrapped: Any, code: str, words: str) -> None:
    with pytest.raises(DefinitionError, match=words) as refused:
        defer(wrapped)

    assert refused.value.code == code
    assert refused.value.mend


def test_a_coroutine_is_refused_without_a_warning_that_it_was_never_awaited() -> None:
    called: Any = _plain()

    with pytest.raises(DefinitionError, match="without calling it"):
        defer(called)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"concurrency": 0}, "concurrency is 0"),
        ({"retry": {"max_attempts": -1}}, "retry.max_attempts is -1"),
        ({"retry": "often"}, "retry is 'often'"),
        ({"max_duration": "5 parsecs"}, "max_duration: '5 parsecs' is not a duration"),
        ({"max_concurrency_action": "drop"}, "max_concurrency_action is 'drop'"),
        ({"alert": 0}, "alert is 0"),
        ({"timeout": 3}, "there is no option 'timeout'"),
        ({"catch_up": "none"}, "there is no option 'catch_up'"),
    ],
)
def test_a_wrong_option_names_itself_and_the_users_line(options: dict[str, Any], words: str) -> None:
    with pytest.raises(DefinitionError, match=words) as refused:
        defer(**options)(_plain)

    assert refused.value.code == "DEF010"
    assert refused.value.where is not None
    assert refused.value.mend


@pytest.mark.parametrize(
    ("given", "code", "words"),
    [
        ((_nightly, "0 25 * * *"), "DEF006", "cron '_nightly' has no hour 25"),
        ((_nightly, 5), "DEF006", "cron '_nightly'"),
        ((_nightly,), "DEF006", "cron '_nightly' has no schedule"),
        ((), "DEF006", "a function and a cron expression"),
        (("@daily", _nightly), "DEF006", "a function and a cron expression"),
        ((_plain, "@daily"), "DEF005", "has parameters: user_id"),
        ((weekly, "@daily"), "DEF009", "wrapped already"),
    ],
)
def test_a_wrong_cron_is_refused(given: tuple[Any, ...], code: str, words: str) -> None:
    with pytest.raises(DefinitionError, match=words) as refused:
        defer.cron(*given)

    assert refused.value.code == code


def test_the_error_shows_where_the_user_wrote_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code = compile("\n\ndefer(fn)\n", str(tmp_path / "src" / "send.py"), "exec")

    with pytest.raises(DefinitionError) as refused:
        exec(code, {"defer": defer, "fn": _sync})

    assert refused.value.where == "src/send.py:3"
