"""The rule of the folder: one function a file, named like it, bound to its name."""

from __future__ import annotations

import pytest

from defer_cli.domain.function import Problem
from tests.unit.discovery.projects import SmallProject, right


def shown(problem: Problem) -> tuple[str, str]:
    return problem.code, problem.where


@pytest.mark.parametrize(
    "text",
    [
        "@defer\nasync def send(): ...\n",
        "@defer(concurrency=2)\nasync def send(): ...\n",
        "async def send(): ...\nsend = defer(send, retry=3)\n",
        "@defer.cron('0 8 * * MON')\nasync def send(): ...\n",
        "async def send(): ...\nsend = defer.cron(send, '@daily')\n",
        "async def send(): ...\ndefault = defer.cron(send, '5 0 * * *')\n",
        "if True:\n    @defer\n    async def send(): ...\nelse:\n    @defer\n    async def send(): ...\n",
    ],
)
def test_every_spelling_defines_the_function_of_its_file(project: SmallProject, text: str) -> None:
    project.write("send.py", text)

    found = project.discover()

    assert [spec.name for spec in found.functions] == ["send"]
    assert found.problems == ()


def test_a_file_without_a_function_is_a_problem(project: SmallProject) -> None:
    project.write("helpers.py", "def add(a, b): return a + b\n")

    assert shown(project.problem()) == ("DEF001", "src/defer/helpers.py")


def test_an_undecorated_async_function_is_told_to_be_decorated(project: SmallProject) -> None:
    project.write("send.py", "async def send(): ...\n")

    assert project.problem().mend == "write @defer above 'send'"


def test_a_re_exported_function_is_not_the_files_own(project: SmallProject) -> None:
    project.write("send.py", right("send"))
    project.write("again.py", "from .send import send as again\n")

    problem = project.problem()

    assert shown(problem) == ("DEF001", "src/defer/again.py")
    assert "comes from src/defer/send.py:2" in problem.problem


def test_an_imported_function_does_not_count_as_a_second_one(project: SmallProject) -> None:
    project.write("send.py", right("send"))
    project.write("other.py", "from .send import send\n" + right("other"))

    assert project.problems() == ()


def test_a_copy_with_other_options_is_no_definition(project: SmallProject) -> None:
    project.write("send.py", right("send") + "from defer_cli import delay\nlater = delay(send, 5)\n")

    assert project.problems() == ()


def test_a_definition_by_a_helper_belongs_to_the_file_that_uses_it(project: SmallProject) -> None:
    project.write("jobs.py", "def job(fn): return defer(fn, retry=2)\n", at="src")
    project.write("send.py", "from jobs import job\n@job\nasync def send(): ...\n")

    found = project.discover()

    assert [(spec.name, spec.file, spec.line) for spec in found.functions] == [("send", "src/defer/send.py", 3)]


def test_two_functions_in_a_file_are_shown_with_both_lines(project: SmallProject) -> None:
    project.write("send.py", right("send") + right("other"))

    problem = project.problem()

    assert shown(problem) == ("DEF002", "src/defer/send.py:4")
    assert problem.problem == "defines 2 background functions: 'send' (line 2) and 'other' (line 4)"
    assert problem.mend == "keep one a file: move 'other' to other.py"


def test_two_definitions_of_one_name_are_two(project: SmallProject) -> None:
    project.write("send.py", right("send") + right("send"))

    assert shown(project.problem()) == ("DEF002", "src/defer/send.py:4")


def test_a_function_must_have_the_name_of_its_file(project: SmallProject) -> None:
    project.write("send.py", right("send_mail"))

    problem = project.problem()

    assert shown(problem) == ("DEF003", "src/defer/send.py:2")
    assert problem.mend == "rename the function to 'send', or the file to send_mail.py"


def test_a_wrapper_without_wraps_is_named_inner_and_says_so(project: SmallProject) -> None:
    project.write(
        "send.py",
        """
        def logged(fn):
            async def inner(*args): return await fn(*args)
            return inner

        @defer
        @logged
        async def send(): ...
        """,
    )

    problem = project.problem()

    assert problem.code == "DEF003"
    assert problem.mend is not None
    assert "functools.wraps" in problem.mend


def test_two_files_with_one_name_name_each_other(project: SmallProject) -> None:
    project.write("send.py", right("send"))
    project.write("mail/send.py", right("send"))

    first, second = project.problems()

    assert shown(first) == ("DEF007", "src/defer/mail/send.py:2")
    assert first.problem == "'send' is also defined in src/defer/send.py:2"
    assert shown(second) == ("DEF007", "src/defer/send.py:2")


def test_a_function_in_a_class_is_told_to_move_out(project: SmallProject) -> None:
    project.write("send.py", "class Jobs:\n    @defer\n    async def send(): ...\n")

    problem = project.problem()

    assert shown(problem) == ("DEF013", "src/defer/send.py:2")
    assert problem.mend == "move it out of 'Jobs'"


def test_defer_below_another_decorator_is_told_to_be_outermost(project: SmallProject) -> None:
    project.write(
        "send.py",
        """
        import functools

        def logged(fn):
            @functools.wraps(fn)
            def inner(*args): return fn(*args)
            return inner

        @logged
        @defer
        async def send(): ...
        """,
    )

    problem = project.problem()

    assert problem.code == "DEF013"
    assert problem.mend == "make defer the outermost decorator: write @defer above the others"


def test_defer_above_a_decorator_that_wraps_is_right(project: SmallProject) -> None:
    project.write(
        "send.py",
        """
        import functools

        def logged(fn):
            @functools.wraps(fn)
            async def inner(*args, **kwargs): return await fn(*args, **kwargs)
            return inner

        @defer
        @logged
        async def send(user_id: int): ...
        """,
    )

    (spec,) = project.discover().functions

    assert [parameter.name for parameter in spec.parameters] == ["user_id"]


def test_a_function_bound_to_another_name_is_a_problem(project: SmallProject) -> None:
    project.write("send.py", "async def send(): ...\njob = defer(send)\n")

    problem = project.problem()

    assert shown(problem) == ("DEF013", "src/defer/send.py:3")
    assert problem.problem == "'send' is defined, but bound to 'job'"


def test_default_that_leaves_the_plain_function_is_a_warning(project: SmallProject) -> None:
    project.write("send.py", "async def send(): ...\ndefault = defer(send)\n")

    found = project.discover()

    assert [(problem.code, problem.is_warning) for problem in found.problems] == [("DEF101", True)]
    assert [spec.name for spec in found.functions] == ["send"]


def test_all_problems_of_a_file_are_shown_at_once(project: SmallProject) -> None:
    project.write("send.py", "@defer.cron('0 25 * * *', retry='often')\ndef send(a, *rest): ...\n")

    assert [problem.code for problem in project.problems()] == ["DEF004", "DEF005", "DEF006", "DEF010"]


def test_a_right_file_may_import_one_with_problems(project: SmallProject) -> None:
    project.write("bad.py", "@defer(concurrency=0)\nasync def bad(): ...\n")
    project.write("good.py", "from .bad import bad\n" + right("good"))

    found = project.discover()

    assert [spec.name for spec in found.functions] == ["good"]
    assert [problem.code for problem in found.problems] == ["DEF010"]


def test_one_file_under_two_names_is_a_warning(project: SmallProject) -> None:
    project.write("send.py", right("send"))
    project.write("use.py", "import src.defer.send\n" + right("use"))

    (problem,) = project.problems()

    assert (problem.code, problem.file, problem.is_warning) == ("DEF103", "src/defer/send.py", True)


def test_another_package_of_the_folders_name_is_a_warning_without_an_init_file(project: SmallProject) -> None:
    project.write("send.py", right("send"))
    (project.folder / "__init__.py").unlink()
    project.write("__init__.py", "", at="installed/defer")

    found = project.discover(environ={"PYTHONPATH": str(project.root / "installed")})

    assert [(problem.code, problem.is_warning) for problem in found.problems] == [("DEF102", True)]
    assert [spec.module for spec in found.functions] == ["defer.send"]


@pytest.mark.parametrize("wrapped", ["lambda: None", "functools.partial(print)", "print(end='')", "type('A', (), {})"])
def test_what_has_no_name_is_one_problem(project: SmallProject, wrapped: str) -> None:
    project.write("send.py", f"import functools\nsend = defer({wrapped} or 3)\n")

    assert shown(project.problem()) == ("DEF009", "src/defer/send.py:3")
