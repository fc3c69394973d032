"""What never raises: spans are beside the point of a call, and processors and samplers are the user's own code."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from defer_cli.client.delivery import log

P = ParamSpec("P")
R = TypeVar("R")
_has_failed = False


def harmless(do: Callable[P, R]) -> Callable[P, R | None]:
    """Return ``do`` so that it never raises; the first failure of a process is logged."""

    @wraps(do)
    def safely(*args: P.args, **kwargs: P.kwargs) -> R | None:
        global _has_failed
        try:
            return do(*args, **kwargs)
        except Exception:
            if not _has_failed:
                _has_failed = True
                log.exception("a span could not be made or ended; all goes on without it")
            return None

    return safely
