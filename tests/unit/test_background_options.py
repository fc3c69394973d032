"""The options that one call may carry, and which functions take them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from defer_cli import DeferError, SettingError, add_metadata, assign_options, await_result, defer, delay, discard_after


@defer
async def compute(user_id: int) -> str:
    return str(user_id)


@defer.cron("@daily")
async def nightly() -> None: ...


async def plain() -> None: ...


def test_options_are_checked_and_kept_on_a_copy() -> None:
    copied = assign_options(compute, delay="5 min", discard_after=3600, metadata={"user": "1"}, key="weekly:1")

    options = copied.call_options
    assert (options.delay, options.discard_after) == (timedelta(minutes=5), timedelta(hours=1))
    assert (options.metadata, options.key) == ({"user": "1"}, "weekly:1")
    assert compute.call_options.key is None
    assert (copied.fn, copied.name, copied.file) == (compute.fn, compute.name, compute.file)


def test_copies_merge() -> None:
    copied = assign_options(
        assign_options(compute, delay=5, metadata={"a": "1", "b": "1"}), key="k", metadata={"b": "2"}
    )

    options = copied.call_options
    assert (options.delay, options.key, options.metadata) == (timedelta(seconds=5), "k", {"a": "1", "b": "2"})


def test_the_short_forms_do_the_same() -> None:
    options = add_metadata(discard_after(delay(compute, 5), "1h"), {"a": "1"}).call_options

    assert (options.delay, options.discard_after, options.metadata) == (
        timedelta(seconds=5),
        timedelta(hours=1),
        {"a": "1"},
    )


def test_a_moment_is_kept_in_utc() -> None:
    moment = datetime(2026, 1, 1, 10, tzinfo=timezone(timedelta(hours=2)))

    assert delay(compute, moment).call_options.delay == datetime(2026, 1, 1, 8, tzinfo=UTC)


def test_the_metadata_given_may_change_later_without_effect() -> None:
    given = {"a": "1"}
    copied = add_metadata(compute, given)
    given["a"] = "2"

    assert copied.call_options.metadata == {"a": "1"}


def test_texts_of_a_subclass_are_kept_as_plain_ones() -> None:
    """Frameworks have such for what needs no escape, and no frame would take them."""

    class Text(str):
        __slots__ = ()

    options = assign_options(compute, metadata={Text("user"): Text("1")}, key=Text("k")).call_options

    assert {type(text) for text in (*options.metadata, *options.metadata.values(), options.key)} == {str}


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"delay": datetime(2026, 1, 1)}, "delay"),  # noqa: DTZ001  # a naive one is what is refused
        ({"delay": date(2026, 1, 1)}, "delay"),
        ({"delay": "soon"}, "delay"),
        ({"delay": -1}, "delay"),
        ({"delay": True}, "delay"),
        ({"discard_after": "never"}, "discard_after"),
        ({"key": ""}, "key"),
        ({"key": 5}, "key"),
        ({"key": "k" * 257}, "key"),
        ({"key": "a\nb"}, "key"),
        ({"metadata": ["a"]}, "metadata"),
        ({"metadata": {"a": 1}}, "metadata"),
        ({"metadata": {1: "a"}}, "metadata"),
        ({"metadata": {"": "a"}}, "metadata"),
        ({"metadata": {"a": ""}}, "metadata"),
        ({"metadata": {"a": "é"}}, "metadata"),
        ({"metadata": {"a": "x" * 257}}, "metadata"),
        ({"metadata": {str(number): "x" for number in range(26)}}, "metadata"),
    ],
)
def test_a_wrong_option_is_refused_with_its_mend(options: dict[str, Any], where: str) -> None:
    with pytest.raises(SettingError) as refused:
        assign_options(compute, **options)

    assert refused.value.where == where
    assert refused.value.mend


def test_metadata_that_adds_up_to_too_much_is_refused() -> None:
    half = add_metadata(compute, {f"a{number}": "x" for number in range(20)})

    with pytest.raises(SettingError, match="26 pairs"):
        add_metadata(half, {f"b{number}": "x" for number in range(6)})


def test_the_limits_themselves_are_allowed() -> None:
    metadata = {"k" * 255 + chr(97 + number): "v" * 256 for number in range(25)}

    assert len(assign_options(compute, metadata=metadata, key="k" * 256).call_options.metadata) == 25


@pytest.mark.parametrize("use", [assign_options, await_result])
@pytest.mark.parametrize(("fn", "words"), [(nightly, "is a cron"), (plain, "declare it with @defer"), (3, "not a")])
def test_only_background_functions_take_call_options(use: Callable[[Any], object], fn: Any, words: str) -> None:
    with pytest.raises(DeferError, match=words):
        use(fn)


def test_none_is_no_moment() -> None:
    nothing: Any = None

    with pytest.raises(SettingError):
        delay(compute, nothing)
