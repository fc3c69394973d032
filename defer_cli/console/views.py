"""What a page shows, before it is HTML: data, the parts that move by themselves, and the log it follows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from starlette.requests import Request

from defer_cli.web.reading import Reading

Section = Literal["overview", "functions", "executions", ""]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One look at what a page is about; a page that stays open is looked at again and again."""

    template: str
    title: str
    section: Section = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    parts: Mapping[str, str] = field(default_factory=dict)
    """The elements that are drawn anew when something has changed: their ids, and the templates of what they hold."""
    log: Reading | None = None
    """The log that grows at the end of the element ``log-lines``, read so far as ``data`` shows it."""
    is_at_rest: bool = False
    """Whether nothing on the page can change any more."""
    status: int = 200


Look = Callable[[Request], Awaitable[View]]
"""Looks at what a request asks for; raises ``DeferError``."""
