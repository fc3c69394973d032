"""Writes alerts into the transaction of what they tell of: what is on disk will be told, whoever dies meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from defer_cli.alerts.messages import first_line
from defer_cli.domain.alert import AlertKind, Grouping, News
from defer_cli.domain.settle import Move
from defer_cli.domain.visible import as_text
from defer_cli.store.contract import Store


class Recorder:
    """Takes the writer's outcomes; used by its thread only, but for ``muted``.

    What it remembers of failing functions is a hint: the store decides, and a transaction may be undone. So a function
    leaves it only once the store says that it does not fail any more.
    """

    def __init__(
        self,
        store: Store,
        *,
        kinds: Collection[AlertKind],
        channels: Sequence[str],
        grouping: Grouping,
        on_news: Callable[[], None],
    ) -> None:
        self._kinds = frozenset(kinds)
        self._channels = channels
        self._grouping = grouping
        self._on_news = on_news
        self._failing = set(store.outbox.failing())
        self._tells_success = AlertKind.SUCCESS in self._kinds
        self.muted: frozenset[str] = frozenset()
        """Functions that nobody is told of."""

    def apply(self, store: Store, moves: Sequence[Move]) -> list[bool]:
        """Write outcomes, and what is to be told of them."""
        applied = store.apply(moves)
        failures = [move for move, done in zip(moves, applied, strict=True) if done and move.name == "fail"]
        if failures and AlertKind.FAILURE in self._kinds:
            self._record_failures(store, failures)
        if self._failing or self._tells_success:
            self._record_successes(store, [move for move, done in zip(moves, applied, strict=True) if done])
        return applied

    def add(self, store: Store, news: News) -> None:
        """Write something else that is to be told."""
        if news.kind in self._kinds and news.function not in self.muted:
            self._add(store, [news])

    def _record_failures(self, store: Store, failures: Sequence[Move]) -> None:
        groups = self._groups(failures)
        if not groups:
            return
        store.outbox.fail({name: len(moves) for name, moves in groups.items()}, at_us=failures[0].at_us)
        self._failing.update(groups)
        self._add(store, [_news(AlertKind.FAILURE, moves, _failure_facts(moves[0])) for moves in groups.values()])

    def _record_successes(self, store: Store, moves: Sequence[Move]) -> None:
        news: list[News] = []
        if self._tells_success:
            successes = self._groups([move for move in moves if move.name == "succeed"])
            news += [_news(AlertKind.SUCCESS, some, _facts(some[0])) for some in successes.values()]
        failing = self._failing
        last_failed = {move.function: place for place, move in enumerate(moves) if move.name == "fail"}
        recovered = self._groups(
            [
                move
                for place, move in enumerate(moves)
                if move.name == "succeed" and move.function in failing and place > last_failed.get(move.function, -1)
            ]
        )
        for name, some in recovered.items():
            failed = store.outbox.recover(name)
            if failed is None:
                failing.discard(name)
            else:
                facts = _facts(some[0]) | {"since_us": failed[0], "failures": failed[1]}
                news.append(_news(AlertKind.RECOVERY, some[:1], facts))
        if news:
            self._add(store, news)

    def _groups(self, moves: Sequence[Move]) -> dict[str, list[Move]]:
        groups: dict[str, list[Move]] = {}
        for move in moves:
            if move.function not in self.muted:
                groups.setdefault(move.function, []).append(move)
        return groups

    def _add(self, store: Store, news: Sequence[News]) -> None:
        store.outbox.add(news, channels=self._channels, grouping=self._grouping)
        self._on_news()


def _news(kind: AlertKind, moves: Sequence[Move], facts: dict[str, Any]) -> News:
    return News(
        kind=kind,
        function=moves[0].function,
        count=len(moves),
        first_us=min(move.at_us for move in moves),
        last_us=max(move.at_us for move in moves),
        facts=facts,
    )


def _facts(move: Move) -> dict[str, Any]:
    duration_us = max(move.at_us - move.started_us, 0) if move.started_us else 0
    return {"id": move.id, "attempts": move.attempt, "duration_us": duration_us}


def _failure_facts(move: Move) -> dict[str, Any]:
    error = move.error
    assert error is not None
    told = {"code": str(error.code), "type": first_line(error.type), "message": first_line(error.message)}
    told = {name: as_text(text) for name, text in told.items()}
    return _facts(move) | {"location": error.location, "error": told}
