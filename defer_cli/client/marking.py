"""Which execution a record of ``logging`` belongs to: ``%(execution_id)s %(function)s %(attempt)d`` in any format."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from defer_cli.client.context import AttemptScope

OUTSIDE = ("-", "-", 0)
"""What records say that were made outside of an execution, so that no format breaks."""


def mark_records(scope_here: Callable[[], AttemptScope | None]) -> None:
    """Mark each record of this process on its way to filters and handlers, whoever made it.

    A factory of records would do it too early: ``extra={"attempt": 3}`` is refused for what a record has already, and
    one that the user sets need not call ours. What a record says itself stays.
    """
    pass_on = logging.Logger.handle

    def handle(logger: logging.Logger, record: logging.LogRecord) -> None:
        scope = scope_here()
        id, function, attempt = OUTSIDE if scope is None else (scope.id, scope.function, scope.attempt)
        fields = record.__dict__
        fields.setdefault("execution_id", id)
        fields.setdefault("function", function)
        fields.setdefault("attempt", attempt)
        pass_on(logger, record)

    logging.Logger.handle = handle  # type: ignore[method-assign, assignment]


@contextmanager
def marked_records(scope_here: Callable[[], AttemptScope | None]) -> Iterator[None]:
    """Mark records for the time of the block."""
    before = logging.Logger.handle
    mark_records(scope_here)
    try:
        yield
    finally:
        logging.Logger.handle = before  # type: ignore[method-assign]
