"""Alerts on their way, in the SQLite engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from defer_cli.domain.alert import Alert, AlertKind, AlertState, Grouping, News
from defer_cli.store.sqlite import outbox_statements as statements
from defer_cli.store.sqlite.session import Session


class SqliteOutbox:
    """The methods of ``Outbox`` over one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, news: Sequence[News], *, channels: Sequence[str], grouping: Grouping) -> None:
        """Keep news for each channel, with what waits of the same kind and function."""
        self._session.require_transaction()
        for channel in channels:
            for one in news:
                self._add(one, channel, grouping)

    def _add(self, news: News, channel: str, grouping: Grouping) -> None:
        execute = self._session.execute
        key = (channel, str(news.kind), news.function)
        row = execute(statements.WAITING, key).fetchone()
        if row is not None:
            number, first_us, previous_us = row
            due_us = grouping.due_us(news.kind, first_us=first_us, last_us=news.last_us, previous_us=previous_us)
            execute(statements.ADD_TO, (news.count, news.last_us, due_us, number))
            return
        (previous_us,) = execute(statements.PREVIOUS_US, key).fetchone()
        due_us = grouping.due_us(news.kind, first_us=news.first_us, last_us=news.last_us, previous_us=previous_us)
        facts = msgspec.json.encode(news.facts)
        execute(statements.ADD, (*key, news.count, news.first_us, news.last_us, previous_us, due_us, facts))

    def fail(self, counts: Mapping[str, int], *, at_us: int) -> None:
        """Know functions as failing; recoveries that wait are taken back."""
        self._session.executemany(statements.FAIL, [(function, at_us, count) for function, count in counts.items()])
        self._session.executemany(statements.TAKE_RECOVERY_BACK, [(function,) for function in counts])

    def recover(self, function: str) -> tuple[int, int] | None:
        """Know a failing function as recovering."""
        row: tuple[int, int] | None = self._session.execute(statements.RECOVER, (function,)).fetchone()
        return row

    def failing(self) -> list[str]:
        """Return the functions that have failed, and have not succeeded since."""
        return [function for (function,) in self._session.execute(statements.FAILING).fetchall()]

    def due(self, channel: str, *, now_us: int, limit: int) -> list[Alert]:
        """Return what may go out: one message that is to be sent again, else news."""
        rows = self._session.execute(statements.DUE_AGAIN, (channel, now_us)).fetchall()
        return [_alert(row) for row in rows or self._session.execute(statements.DUE, (channel, now_us, limit))]

    def next_us(self, channel: str) -> int | None:
        """Return when something is due next."""
        next_us: int | None = self._session.execute(statements.NEXT_US, (channel,)).fetchone()[0]
        return next_us

    def begin(self, alerts: Sequence[Alert], *, message: str, at_us: int) -> None:
        """Know these as going out together."""
        self._session.executemany(statements.BEGIN, [(message, at_us, alert.number) for alert in alerts])
        recovered = [(alert.function,) for alert in alerts if alert.kind is AlertKind.RECOVERY]
        self._session.executemany(statements.FORGET_FAILING, recovered)

    def sent(self, message: str, *, at_us: int) -> None:
        """Know a message as sent."""
        self._session.execute(statements.END, (AlertState.SENT, at_us, None, message))

    def put_off(self, message: str, *, until_us: int, problem: str) -> None:
        """Send a message again at ``until_us``."""
        self._session.execute(statements.PUT_OFF, (until_us, problem, message))

    def give_up(self, message: str, *, at_us: int, problem: str) -> None:
        """Never send a message again."""
        self._session.execute(statements.END, (AlertState.GIVEN_UP, at_us, problem, message))

    def interrupted(self, channel: str) -> list[str]:
        """Return the messages that were going out when the last runner ended."""
        return [message for (message,) in self._session.execute(statements.INTERRUPTED, (channel,)).fetchall()]

    def forget(self, *, before_us: int) -> None:
        """Delete what is older than a moment, whatever became of it."""
        self._session.execute(statements.FORGET, (before_us,))


def _alert(row: tuple[Any, ...]) -> Alert:
    number, kind, function, count, first_us, last_us, facts, state, attempts, begun_us, message = row
    return Alert(
        number=number,
        kind=AlertKind(kind),
        function=function,
        count=count,
        first_us=first_us,
        last_us=last_us,
        facts=msgspec.json.decode(facts),
        state=AlertState(state),
        attempts=attempts,
        begun_us=begun_us,
        message=message,
    )
