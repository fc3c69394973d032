"""Records of `logging` say which execution they were made in, whatever the user has done to records."""

from __future__ import annotations

import asyncio
import logging
import logging.handlers
import queue
from collections.abc import Iterator
from typing import Any

import pytest

from defer_cli.client.context import AttemptScope, current_scope, scope_here
from defer_cli.client.marking import marked_records

FORMAT = "%(execution_id)s %(function)s %(attempt)d %(message)s"
FROM_AFAR = {"msg": "from afar", "levelno": logging.INFO, "execution_id": "01aa"}


class Kept(logging.Handler):
    """Keeps what a format makes of records."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter(FORMAT))
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
def kept() -> Iterator[Kept]:
    kept, logger = Kept(), logging.getLogger("shop.mail")
    logger.addHandler(kept)
    logger.setLevel(logging.INFO)
    factory = logging.getLogRecordFactory()
    with marked_records(scope_here):
        yield kept
    logging.setLogRecordFactory(factory)
    logger.removeHandler(kept)


@pytest.fixture
def inside() -> Iterator[None]:
    scope = AttemptScope(id="01kb", function="send", attempt=2, deadline_us=0)
    token = current_scope.set(scope)
    yield
    current_scope.reset(token)


def info(text: str = "hello", **options: Any) -> None:
    logging.getLogger("shop.mail").info(text, **options)


def test_a_record_says_its_execution(kept: Kept, inside: None) -> None:
    info()

    assert kept.lines == ["01kb send 2 hello"]


def test_outside_of_an_execution_formats_hold(kept: Kept) -> None:
    info()

    assert kept.lines == ["- - 0 hello"]


async def test_threads_of_to_thread_and_tasks_keep_the_execution(kept: Kept, inside: None) -> None:
    await asyncio.to_thread(info, "thread")
    await asyncio.create_task(asyncio.to_thread(info, "task"))

    assert kept.lines == ["01kb send 2 thread", "01kb send 2 task"]


def test_what_a_record_says_itself_is_left_to_it(kept: Kept, inside: None) -> None:
    info(extra={"execution_id": "mine", "attempt": 7})

    assert kept.lines == ["mine send 7 hello"]


def test_a_factory_that_the_user_sets_is_neither_lost_nor_in_the_way(kept: Kept, inside: None) -> None:
    class Own(logging.LogRecord):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.msg = f"own {self.msg}"

    logging.setLogRecordFactory(Own)
    info()

    assert kept.lines == ["01kb send 2 own hello"]


def test_filters_see_the_execution(kept: Kept, inside: None) -> None:
    logger = logging.getLogger("shop.mail")
    seen: list[Any] = []

    def look(record: logging.LogRecord) -> bool:
        seen.append(record.__dict__["execution_id"])
        return True

    logger.addFilter(look)
    info()
    logger.removeFilter(look)

    assert seen == ["01kb"]


def test_a_record_that_is_written_elsewhere_keeps_its_execution(inside: None, kept: Kept) -> None:
    logger = logging.getLogger("shop.mail")
    records: queue.SimpleQueue[Any] = queue.SimpleQueue()
    handler = logging.handlers.QueueHandler(records)
    logger.addHandler(handler)
    info()
    logger.removeHandler(handler)

    assert records.get_nowait().__dict__["execution_id"] == "01kb"


def test_a_record_made_from_a_mapping_is_marked_where_it_is_handled(kept: Kept, inside: None) -> None:
    logging.getLogger("shop.mail").handle(logging.makeLogRecord(FROM_AFAR))

    assert kept.lines == ["01aa send 2 from afar"]


def test_nothing_is_left_behind() -> None:
    before = logging.Logger.handle
    with marked_records(scope_here):
        assert logging.Logger.handle is not before

    assert logging.Logger.handle is before
