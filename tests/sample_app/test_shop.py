"""The data and the model of a process exist once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from marketplace import shop
from marketplace.ratings import Ratings
from marketplace.recommender import Recommender


def test_threads_that_ask_at_the_same_time_share_one_recommender(
    monkeypatch: pytest.MonkeyPatch, three_users: Ratings
) -> None:
    built: list[Recommender] = []
    ready = Barrier(4)

    class Counted(Recommender):
        def __init__(self, ratings: Ratings) -> None:
            super().__init__(three_users)
            built.append(self)

    def ask() -> Recommender:
        ready.wait(timeout=10)
        return shop.recommender()

    monkeypatch.setattr(shop, "Recommender", Counted)
    shop._build_once.cache_clear()
    try:
        with ThreadPoolExecutor(4) as threads:
            answers = [answer.result() for answer in [threads.submit(ask) for _ in range(4)]]
    finally:
        shop._build_once.cache_clear()

    assert answers == built * 4
