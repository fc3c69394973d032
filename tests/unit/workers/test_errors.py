"""What an exception looks like when it is kept: the user's own lines first, always describable."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from defer_cli.domain.duration import parse_duration
from defer_cli.domain.errors import ArgumentError, SettingError
from defer_cli.link.frames import FrameError
from defer_cli.workers.errors import LONGEST_TEXT, describe, is_user_file


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "site-packages").mkdir()
    return tmp_path


def failing(project: Path, source: str, *, name: str = "job.py") -> FrameError:
    """Run ``source`` as a file of the project; return how its exception is described."""
    path = project / name
    path.write_text(source)
    try:
        exec(compile(source, str(path), "exec"), {"__name__": "job", "asyncio": asyncio})
    except BaseException as error:
        raised = error
    else:
        raise AssertionError("it did not raise")
    return describe(raised, project=str(project))  # out here: a failure is not chained to what cannot be shown


def test_type_and_message_are_kept(project: Path) -> None:
    error = failing(project, "raise ValueError('no stock')")

    assert (error.type, error.message) == ("ValueError", "no stock")


def test_a_type_has_its_module() -> None:
    assert describe(ArgumentError("x"), project="/p").type == "defer_cli.domain.errors.ArgumentError"


def test_the_location_is_the_users_innermost_line(project: Path) -> None:
    error = failing(project, "import json\ndef inner():\n    json.loads('{')\ninner()\n")

    assert error.location == "job.py:3"


def test_the_users_frames_come_first(project: Path) -> None:
    error = failing(project, "import json\njson.loads('{')\n")
    first, _, whole = error.traceback.partition("The whole traceback:")

    assert "job.py" in first
    assert "decoder.py" not in first
    assert "decoder.py" in whole


def test_frames_of_defer_are_left_out_where_there_are_some_of_the_users(project: Path) -> None:
    error = failing(project, "from defer_cli import assign_options\nassign_options(3)\n")

    assert "defer_cli/background.py" not in error.traceback
    assert error.traceback.startswith("Traceback (most recent call last):\n")
    assert "In your code" not in error.traceback


def test_frames_of_defer_are_shown_where_they_are_all_there_is() -> None:
    try:
        parse_duration("x", where="delay")
    except SettingError as raised:
        error = describe(raised.with_traceback(raised.__traceback__ and raised.__traceback__.tb_next), project="/p")

    assert "domain/duration.py" in error.traceback


def test_a_cause_is_shown_in_the_whole_traceback(project: Path) -> None:
    error = failing(project, "try:\n    1/0\nexcept ZeroDivisionError as e:\n    raise ValueError('x') from e\n")

    assert "ZeroDivisionError" in error.traceback
    assert "direct cause" in error.traceback


def test_groups_show_what_is_in_them(project: Path) -> None:
    error = failing(project, "raise BaseExceptionGroup('both', [ValueError('one'), SystemExit(2)])")

    assert "ValueError: one" in error.traceback


@pytest.mark.parametrize("raised", ["ValueError('inner')", "SystemExit(1)", "KeyboardInterrupt()"])
def test_an_exception_whose_str_raises_is_described(project: Path, raised: str) -> None:
    source = f"class Odd(Exception):\n    def __str__(self):\n        raise {raised}\nraise Odd()\n"
    error = failing(project, source)

    assert error.message == f"<its str() raised {raised.partition('(')[0]}>"
    assert error.location == "job.py:4"


def test_an_exception_whose_str_is_no_text_is_described(project: Path) -> None:
    error = failing(project, "class Odd(Exception):\n    def __str__(self):\n        return 3\nraise Odd()\n")

    assert error.message == "<its str() raised TypeError>"


def test_a_huge_message_is_cut(project: Path) -> None:
    error = failing(project, "raise ValueError('x' * 10_000_000)")

    assert len(error.message) < LONGEST_TEXT + 100
    assert len(error.traceback) < LONGEST_TEXT + 100
    assert error.message.endswith("… cut: 10,000,000 bytes in all")


def test_a_message_of_four_byte_letters_is_cut_in_bytes(project: Path) -> None:
    error = failing(project, "raise ValueError('🙂' * 1_000_000)")

    assert len(error.message.encode()) < LONGEST_TEXT + 100


def test_a_huge_type_name_is_cut() -> None:
    huge: Any = type("X" * 1_000_000, (Exception,), {})

    assert len(describe(huge(), project="/p").type) < LONGEST_TEXT + 100


def test_a_surrogate_in_a_message_is_escaped(project: Path) -> None:
    assert failing(project, "raise ValueError('a\\udc80')").message == "a\\udc80"


def test_a_surrogate_in_a_file_name_is_escaped(project: Path) -> None:
    error = failing(project, "raise ValueError('x')", name="job\udc80.py")

    assert error.location == "job\\udc80.py:1"


def test_endless_recursion_is_described(project: Path) -> None:
    error = failing(project, "def f():\n    f()\nf()\n")

    assert (error.type, error.location) == ("RecursionError", "job.py:2")


def test_an_exception_without_a_traceback_has_no_location() -> None:
    assert describe(ValueError("x"), project="/p").location is None


def test_code_without_a_file_name_is_not_the_users(project: Path) -> None:
    error = failing(project, "eval(compile('1/0', '', 'eval'))")

    assert (error.type, error.location) == ("ZeroDivisionError", "job.py:1")


def test_code_with_a_relative_name_in_a_directory_that_is_gone_has_no_place(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = project / "gone"
    gone.mkdir()
    with monkeypatch.context() as inside:
        inside.chdir(gone)
        gone.rmdir()
        error = failing(project, "eval(compile('1/0', 'made.py', 'eval'))")

    assert (error.type, error.location) == ("ZeroDivisionError", "job.py:1")


def test_a_type_whose_metaclass_hides_its_name_is_described(project: Path) -> None:
    source = """
class Hiding(type):
    def __getattribute__(self, name):
        if name == "__qualname__":
            raise LookupError
        return super().__getattribute__(name)
class Odd(Exception, metaclass=Hiding): ...
raise Odd("no stock")
"""
    error = failing(project, source)

    assert (error.type, error.message) == ("job.Odd", "no stock")


def test_a_type_without_a_readable_module_is_described(project: Path) -> None:
    source = """
class Hiding(type):
    @property
    def __module__(self):
        raise LookupError
class Odd(Exception, metaclass=Hiding): ...
raise Odd("no stock")
"""
    error = failing(project, source)

    assert (error.type, error.message) == ("<its type raised LookupError>", "no stock")


def test_a_message_of_a_class_of_the_users_is_described(project: Path) -> None:
    source = """
class Text(str):
    def encode(self, *options, **more):
        raise LookupError
class Odd(Exception):
    def __str__(self):
        return Text("no stock")
raise Odd
"""
    assert failing(project, source).message == "no stock"


def test_a_file_whose_source_cannot_be_had_costs_the_traceback_only(project: Path) -> None:
    source = """
class Loader:
    def get_source(self, name):
        raise RuntimeError
eval(compile("1/0", "/made/elsewhere.py", "eval"), {"__name__": "elsewhere", "__loader__": Loader()})
"""
    error = failing(project, source)

    assert (error.type, error.traceback) == ("ZeroDivisionError", "<its traceback raised RuntimeError>")


def test_packages_inside_the_project_are_not_the_users_code() -> None:
    assert is_user_file("/p/src/job.py", "/p") is True
    assert is_user_file("/p/.venv/lib/python3.11/site-packages/x.py", "/p") is False
    assert is_user_file(asyncio.__file__, "/p") is False
    assert is_user_file("<string>", "/p") is False
