"""What functions log by `logging`, structlog and loguru lands in the log of the right attempt, and says which it is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from tests.process.harness import FAST, Project, Runner

pytestmark = pytest.mark.process
SETUPS = {
    "logging_setup": """
        import logging

        logging.basicConfig(
            level=logging.INFO, format="std %(function)s %(execution_id)s %(attempt)d |%(message)s"
        )
        logging.getLogger("shop").info("outside")
    """,
    "structlog_setup": """
        import structlog

        from defer_cli import current_execution


        def add_execution(logger, method, event):
            execution = current_execution()
            return event | {"execution_id": execution.id, "attempt": execution.attempt}


        structlog.configure(processors=[add_execution, structlog.processors.JSONRenderer()])
    """,
    "loguru_setup": """
        import sys

        from loguru import logger

        from defer_cli import current_execution


        def add_execution(record):
            execution = current_execution()
            record["extra"].update(execution_id=execution.id, attempt=execution.attempt)


        logger.configure(
            handlers=[{"sink": sys.stderr, "format": "guru {extra[execution_id]} {extra[attempt]} {message}"}],
            patcher=add_execution,
        )
    """,
}
BESIDE = """
    import logging

    import logging_setup
    import loguru_setup
    import structlog
    import structlog_setup
    from loguru import logger

    std, struct = logging.getLogger("shop"), structlog.get_logger()

    def say(word):
        std.info(word)
        struct.info(word)
        logger.info(word)

    @defer(OPTIONS)
    async def beside(word):
        say(word)
        await asyncio.sleep(0)
        await asyncio.to_thread(say, f"{word} in a thread")
        await asyncio.create_task(asyncio.to_thread(say, f"{word} in a task"))
        if current_execution().attempt == 1:
            raise ValueError(word)
"""


@pytest.fixture(scope="module")
def project(make_project: Callable[[], Project]) -> Project:
    project = make_project()
    for name, source in SETUPS.items():
        (project.root / "src" / f"{name}.py").write_text("\n".join(line[8:] for line in source.splitlines()))
    project.write(beside=BESIDE.replace("OPTIONS", FAST))
    return project


@pytest.fixture(scope="module")
def runner(project: Project) -> Iterator[Runner]:
    with project.run("--workers", "1") as runner:
        yield runner


@pytest.fixture(scope="module")
def words(project: Project, runner: Runner) -> dict[str, str]:
    """Run many beside each other, each twice; return their words by id."""
    with runner.client() as client:
        given = [f"word{number}" for number in range(20)]
        ids = client.calls("beside", [[word] for word in given])
        for id in ids:
            assert client.wait(id) == "succeed"
    return dict(zip(ids, given, strict=True))


@pytest.mark.parametrize("attempt", [1, 2])
def test_each_line_lands_in_its_attempt_and_names_it(project: Project, words: dict[str, str], attempt: int) -> None:
    for id, word in words.items():
        lines = project.lines(id, attempt=attempt)
        said = [word, f"{word} in a thread", f"{word} in a task"]
        std = [line for line in lines if line.startswith("std")]
        assert [line.split()[1:4] for line in std] == [["beside", id, str(attempt)]] * 3
        assert [line.split("|")[1] for line in std] == said
        assert [line for line in lines if line.startswith("guru")] == [f"guru {id} {attempt} {text}" for text in said]
        assert [json.loads(line) for line in lines if line.startswith("{")] == [
            {"event": text, "execution_id": id, "attempt": attempt} for text in said
        ]


def test_outside_of_an_execution_the_format_holds(runner: Runner) -> None:
    runner.until_line("std - - 0", "outside")


def test_no_format_breaks_where_files_are_only_looked_at(runner: Runner, words: dict[str, str]) -> None:
    assert "Traceback" not in runner.output
    assert "--- Logging error ---" not in runner.output
