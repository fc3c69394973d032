"""When there is no more room, whoever has been slow for longest makes it."""

from __future__ import annotations

import asyncio

import pytest

from defer_cli.web.crowd import Crowd


class Caller:
    """A connection: ``since`` when we wait for it, None when it waits for us."""

    def __init__(self, crowd: Crowd, since: float | None = 0.0, *, is_idle: bool = False, holds: int = 0) -> None:
        self.since = since
        self.is_idle = is_idle
        self.holds = holds
        self.is_ended = False
        self.was_taken = crowd.add(self, 10.0)

    def slowness(self) -> tuple[bool, float] | None:
        return None if self.since is None or self.is_ended else (self.is_idle, self.since)

    def held(self) -> int:
        return self.holds

    def give_up(self, why: str) -> None:
        self.is_ended = True

    def look(self, now: float) -> None: ...

    def stop(self) -> None: ...


def test_one_too_many_takes_the_place_of_the_slowest() -> None:
    crowd = Crowd(most=3)
    slow, slowest, busy = Caller(crowd, 5.0), Caller(crowd, 2.0), Caller(crowd, None)

    comer = Caller(crowd, 10.0)

    assert comer.was_taken
    assert [one.is_ended for one in (slow, slowest, busy)] == [False, True, False]


def test_an_idle_connection_goes_only_when_nobody_is_slow() -> None:
    crowd = Crowd(most=2)
    idle, slow = Caller(crowd, 0.0, is_idle=True), Caller(crowd, 5.0)

    assert Caller(crowd, 10.0).was_taken
    assert (idle.is_ended, slow.is_ended) == (False, True)
    assert Caller(crowd, 10.0).was_taken
    assert idle.is_ended


@pytest.mark.parametrize("since", [None, 9.5], ids=["all are being answered", "all have only just come"])
def test_one_too_many_is_turned_away_where_nobody_is_slow(since: float | None) -> None:
    crowd = Crowd(most=2)
    callers = [Caller(crowd, since), Caller(crowd, since)]

    assert not Caller(crowd, 10.0).was_taken
    assert not any(one.is_ended for one in callers)


def test_what_is_held_too_much_is_let_go_by_the_slowest_who_holds_some() -> None:
    crowd = Crowd(most_held=100)
    empty, holder = Caller(crowd, 0.0), Caller(crowd, 5.0, holds=30)

    assert crowd.hold(30, 10.0)
    assert not holder.is_ended
    assert crowd.hold(20, 10.0)
    assert (empty.is_ended, holder.is_ended) == (False, True)


def test_the_quick_may_hold_more_than_the_slow() -> None:
    crowd = Crowd(most_held=100)
    quick = Caller(crowd, 9.5, holds=60)
    assert crowd.hold(60, 10.0)
    assert not quick.is_ended

    assert crowd.hold(1, 10.6)
    assert quick.is_ended


def test_what_is_held_too_much_is_refused_where_nobody_is_slow() -> None:
    crowd = Crowd(most_held=100)
    assert crowd.hold(100, 10.0)
    assert not crowd.hold(1, 10.0)

    crowd.let_go(2)

    assert crowd.hold(1, 10.0)


async def test_it_is_empty_when_the_last_has_gone() -> None:
    crowd = Crowd()
    await crowd.until_empty()
    callers = [Caller(crowd), Caller(crowd)]
    waiting = asyncio.ensure_future(crowd.until_empty())

    crowd.remove(callers[0])
    await asyncio.sleep(0)
    assert not waiting.done()

    crowd.remove(callers[1])
    await waiting


def test_descriptors_are_left_to_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    for limit, most in ((1_024, 256), (100_000, 1_000), (-1, 1_000), (16, 0)):
        monkeypatch.setattr("resource.getrlimit", lambda kind, limit=limit: (limit, limit))
        assert Crowd()._most == most
