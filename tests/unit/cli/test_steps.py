"""Long work in steps: an answer that is lost, a store that is let go, Ctrl-C once and twice."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from defer_cli.cli import access, steps
from defer_cli.cli.steps import Steps
from defer_cli.domain.errors import DeferError, Unconfirmed
from defer_cli.link.project import DataFolder

FOLDER = DataFolder("/nowhere")
Make = Callable[..., Any]


class Store:
    """What the steps reach: answers as it is told, and knows who holds it."""

    def __init__(self, *answers: object) -> None:
        self.asked: list[dict[str, Any]] = []
        self.opened = 0
        self.is_held = False
        self._answers = list(answers)

    @contextmanager
    def changing(self, data: DataFolder) -> Iterator[Make]:
        assert data is FOLDER
        assert not self.is_held
        self.opened += 1
        self.is_held = True
        try:
            yield self._make
        finally:
            self.is_held = False

    def _make(self, name: str, **parameters: Any) -> object:
        self.asked.append({"name": name, **parameters})
        answer = self._answers.pop(0) if self._answers else "done"
        if isinstance(answer, BaseException):
            raise answer
        return answer


@pytest.fixture
def reach(monkeypatch: pytest.MonkeyPatch) -> Callable[[Store], Store]:
    def through(store: Store) -> Store:
        monkeypatch.setattr(access, "changing", store.changing)
        monkeypatch.setattr(steps, "_PAUSE_SECONDS", 0)
        monkeypatch.setattr(steps, "_GAP_SECONDS", 0)
        return store

    return through


def test_steps_share_one_way_until_it_was_held_for_a_while(
    reach: Callable[[Store], Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = reach(Store())
    with Steps(FOLDER) as work:
        for _ in range(3):
            work.make("cancel", {})
            assert work.rest() is False
        monkeypatch.setattr(steps, "_HOLD_SECONDS", -1)
        work.leave()
        work.make("cancel", {})
        assert work.rest() is True
        assert store.is_held is False
        work.make("cancel", {})

    assert (store.opened, store.is_held) == (3, False)


@pytest.mark.parametrize("lost", [access.Gone("it died"), TimeoutError()], ids=["gone", "late"])
def test_a_lost_answer_is_asked_for_again_over_a_new_way_and_says_so(
    lost: Exception, reach: Callable[[Store], Store]
) -> None:
    store = reach(Store(lost, "told"))
    with Steps(FOLDER) as work:
        assert work.make("cancel", {"ids": ["x"]}, again={"is_again": True}) == "told"

    assert store.asked == [
        {"name": "cancel", "ids": ["x"]},
        {"name": "cancel", "ids": ["x"], "is_again": True},
    ]
    assert store.opened == 2


def test_an_answer_that_never_comes_is_not_waited_for_for_ever(
    reach: Callable[[Store], Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = reach(Store(access.Gone("it died"), access.Gone("it died again")))
    monkeypatch.setattr(steps, "_PATIENCE_SECONDS", -1)
    with Steps(FOLDER) as work, pytest.raises(Unconfirmed, match="unknown whether the last step was made"):
        work.make("prune", {})

    assert (len(store.asked), store.is_held) == (1, False)


def test_a_refusal_is_not_asked_for_again_and_the_store_is_let_go(reach: Callable[[Store], Store]) -> None:
    store = reach(Store(DeferError("no")))
    with pytest.raises(DeferError, match="no"), Steps(FOLDER) as work:
        work.make("prune", {})

    assert (len(store.asked), store.is_held) == (1, False)


def test_the_first_ctrl_c_is_noted_and_the_second_one_breaks_off(reach: Callable[[Store], Store]) -> None:
    store = reach(Store())
    before = signal.getsignal(signal.SIGINT)
    with Steps(FOLDER) as work:
        work.make("prune", {})
        signal.raise_signal(signal.SIGINT)
        assert work.is_stopped
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)

    assert store.is_held is False
    assert signal.getsignal(signal.SIGINT) is before
