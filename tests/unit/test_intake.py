"""One way in: what comes is checked, then stored."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from defer_cli.domain.enqueue import Enqueue, Refused, Stored
from defer_cli.domain.errors import ArgumentError, CallRefused
from defer_cli.domain.function import FunctionSpec, Parameter
from defer_cli.intake import LONGEST_NAME, Intake, accepted, fit_arguments, insert_one, known_function
from defer_cli.store.contract import Store
from defer_cli.store.sqlite import open_store
from defer_cli.store.writer import Writer
from tests.store.harness import call


class DirectWriter:
    """Writes at once, to a real store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def enqueue(self, calls: Sequence[Enqueue], on_done: Callable[[Any, Any], None]) -> None:
        with self.store.transaction():
            results = self.store.insert(calls)
        on_done(results, None)

    def insert(self, calls: Sequence[Enqueue]) -> asyncio.Future[Any]:
        future = asyncio.get_running_loop().create_future()
        with self.store.transaction():
            future.set_result(self.store.insert(calls))
        return future


@pytest.fixture
def store(tmp_path: Path) -> Any:
    store = open_store(tmp_path / "defer.db")
    yield store
    store.close()


@pytest.fixture
def intake(store: Store) -> Intake:
    return Intake(cast("Writer", DirectWriter(store)))


def spec(*parameters: Parameter, name: str = "compute") -> FunctionSpec:
    return FunctionSpec(
        name=name, kind="function", module=f"defer.{name}", file=f"defer/{name}.py", line=1, parameters=parameters
    )


def positional(name: str, *, has_default: bool = False) -> Parameter:
    return Parameter(name=name, kind="positional_or_keyword", has_default=has_default)


def test_each_call_gets_its_result(intake: Intake) -> None:
    got: list[Any] = []
    intake.enqueue([call(id="x"), call(id="y")], lambda results, error: got.extend([results, error]))

    assert [result.id for result in got[0]] == ["x", "y"]
    assert got[1] is None


def test_no_call_is_no_work(intake: Intake) -> None:
    got: list[Any] = []
    intake.enqueue([], lambda results, error: got.append((results, error)))

    assert got == [([], None)]


@pytest.mark.parametrize(
    "bad", [Enqueue("", "f", b"[]", 0), Enqueue("x", "", b"[]", 0), Enqueue("x", "f" * (LONGEST_NAME + 1), b"[]", 0)]
)
def test_a_call_without_a_usable_name_or_id_is_refused(intake: Intake, bad: Enqueue) -> None:
    got: list[Any] = []
    intake.enqueue([call(), bad], lambda results, error: got.extend([results, error]))

    assert got[0] is None
    assert isinstance(got[1], CallRefused)


def test_an_unknown_function_is_queued(intake: Intake) -> None:
    got: list[Any] = []
    intake.enqueue([call("nobody_knows_it")], lambda results, error: got.extend(results or []))

    assert isinstance(got[0], Stored)


async def test_one_call_is_stored(intake: Intake) -> None:
    assert (await intake.enqueue_one(call(id="x"))).id == "x"


async def test_one_call_that_is_refused_raises_with_its_mend(intake: Intake) -> None:
    await intake.enqueue_one(call(id="x", arguments=b"[1]"))
    with pytest.raises(CallRefused):
        await intake.enqueue_one(call(id="x", arguments=b"[2]"))


def test_a_command_that_owns_the_store_stores_directly(store: Store) -> None:
    assert insert_one(store, call(id="x")).is_new is True


def test_a_refusal_keeps_its_mend() -> None:
    with pytest.raises(CallRefused) as refusal:
        accepted(Refused("x", "it holds other arguments", "use another key"))

    assert refusal.value.mend == "use another key"


def test_a_known_function_is_found() -> None:
    known = {"compute": spec()}

    assert known_function("compute", known) is known["compute"]


def test_a_misspelled_name_gets_the_nearest_one() -> None:
    with pytest.raises(CallRefused) as refusal:
        known_function("compte", {"compute": spec()})

    assert refusal.value.mend == "did you mean 'compute'?"


def test_a_strange_name_gets_all_known_ones() -> None:
    with pytest.raises(CallRefused) as refusal:
        known_function("x", {"compute": spec(), "brew": spec(name="brew")})

    assert refusal.value.mend == "known functions: brew, compute"


def test_a_project_without_functions_says_so() -> None:
    with pytest.raises(CallRefused) as refusal:
        known_function("x", {})

    assert refusal.value.mend == "known functions: none: the project defines no function yet"


def test_arguments_that_fit_are_encoded() -> None:
    assert fit_arguments(spec(positional("a"), positional("b", has_default=True)), [1]) == b"[1]"


@pytest.mark.parametrize("args", [[], [1, 2, 3]])
def test_arguments_that_do_not_fit_are_refused(args: list[object]) -> None:
    with pytest.raises(ArgumentError) as refusal:
        fit_arguments(spec(positional("a"), positional("b", has_default=True)), args)

    assert refusal.value.problem == f"compute() got {len(args)} arguments and takes a, b"
    assert refusal.value.mend == "give 1 to 2"


def test_one_argument_too_many_for_a_function_without_any() -> None:
    with pytest.raises(ArgumentError) as refusal:
        fit_arguments(spec(), [1])

    assert refusal.value.problem == "compute() got 1 argument and takes none"
    assert refusal.value.mend == "give none"


def test_a_starred_parameter_takes_any_number() -> None:
    starred = spec(positional("a"), Parameter(name="rest", kind="var_positional"))

    assert fit_arguments(starred, [1, 2, 3]) == b"[1,2,3]"
    with pytest.raises(ArgumentError) as refusal:
        fit_arguments(starred, [])
    assert refusal.value.mend == "give at least 1"


def test_what_is_given_by_keyword_and_could_be_positional_becomes_positional() -> None:
    keyed = spec(positional("a"), positional("b", has_default=True), Parameter(name="size", kind="keyword_only"))

    assert fit_arguments(keyed, [1], {"b": 2, "size": 3}) == b'{"args":[1,2],"kwargs":{"size":3}}'
    assert fit_arguments(spec(positional("a"), positional("b", has_default=True)), [], {"a": 1}) == b"[1]"


@pytest.mark.parametrize("kwargs", [{"b": 1}, {"a": 1, "c": 2}])
def test_keywords_that_do_not_fit_are_refused(kwargs: dict[str, object]) -> None:
    with pytest.raises(ArgumentError) as refusal:
        fit_arguments(spec(positional("a"), positional("b", has_default=True)), [], kwargs)

    assert refusal.value.mend == "it takes a, b"


def test_a_keyword_that_must_be_given_needs_python() -> None:
    with pytest.raises(ArgumentError) as refusal:
        fit_arguments(spec(Parameter(name="size", kind="keyword_only")), [])

    assert refusal.value.mend == "call it from Python"
