"""Arguments and results as pages show them."""

from __future__ import annotations

import json

import pytest

from defer_cli.console import values
from defer_cli.domain.function import FunctionSpec, Parameter

SPEC = FunctionSpec(
    name="send",
    kind="function",
    module="defer.send",
    file="src/defer/send.py",
    line=3,
    parameters=(
        Parameter(name="user", kind="positional_or_keyword"),
        Parameter(name="password", kind="positional_or_keyword", has_default=True),
        Parameter(name="rest", kind="var_positional"),
    ),
)


def test_integers_keep_their_last_digit() -> None:
    (shown,) = values.arguments("[12345678901234567890123]", SPEC, ())

    assert shown == ("user", "12345678901234567890123", 23)


def test_arguments_have_the_names_of_the_function_and_secrets_are_masked() -> None:
    shown = values.arguments('["ada", "hunter2", 3, 4]', SPEC, ())

    assert [(one.name, one.text) for one in shown] == [
        ("user", '"ada"'),
        ("password", '"•••"'),
        ("rest", "3"),
        ("rest", "4"),
    ]


def test_arguments_of_a_function_that_is_gone_have_no_names() -> None:
    assert [one.name for one in values.arguments("[1, 2]", None, ())] == ["", ""]


def test_names_from_the_settings_are_masked_as_well() -> None:
    stored = json.dumps({"args": [], "kwargs": {"iban": "DE12", "deep": [{"iban": "DE34"}]}})

    shown = values.arguments(stored, SPEC, ("iban",))

    assert "DE" not in "".join(one.text for one in shown)


def test_what_is_long_is_cut_and_says_so() -> None:
    shown = values.result(json.dumps("x" * 1_000_000), ())

    assert shown.is_cut
    assert (len(shown.text), shown.size) == (values.MOST_SHOWN, 1_000_002)


def test_the_command_calls_it_again_without_secrets() -> None:
    line = values.trigger_line("send", '[{"id": 1, "it\'s": [1.5]}, "hunter2"]', SPEC, ())

    assert line == """defer trigger send '{"id": 1, "it'"'"'s": [1.5]}' '•••'"""


def test_negative_numbers_are_no_options_of_the_command() -> None:
    assert values.trigger_line("send", "[-1]", SPEC, ()) == "defer trigger send -- -1"


@pytest.mark.parametrize("stored", ['{"args": [], "kwargs": {"user": 1}}', json.dumps(["x" * 100_000])])
def test_there_is_no_command_for_keywords_and_for_what_is_very_long(stored: str) -> None:
    assert values.trigger_line("send", stored, SPEC, ()) is None


def test_a_preview_is_one_line() -> None:
    assert values.preview('["a\\nb", "x", 1]', SPEC, ()) == '"a\\nb", "•••", 1'
    assert len(values.preview(json.dumps(["x" * 500]), SPEC, ())) == 120


def test_a_file_of_arguments_has_each_of_them() -> None:
    told = json.loads(values.whole_arguments('["ada", "hunter2", 3, 4]', SPEC, ()))

    assert told == {"user": "ada", "password": "•••", "rest[2]": 3, "rest[3]": 4}
