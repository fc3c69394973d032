"""The marketplace of this process: its data is read once, its recommender built once, when first asked for."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from threading import RLock

from marketplace.ratings import Ratings, read_ratings
from marketplace.recommender import Recommender

DATA = Path(__file__).resolve().parents[2] / "data" / "ratings.csv.gz"

# functools.cache alone lets two threads that ask at the same time both do the work.
_one_at_a_time = RLock()


def ratings() -> Ratings:
    """Return all ratings; the first call reads the file, so make it in a thread."""
    with _one_at_a_time:
        return _read_once()


def recommender() -> Recommender:
    """Return the recommender; the first call compares all products, so make it in a thread."""
    with _one_at_a_time:
        return _build_once()


@cache
def _read_once() -> Ratings:
    return read_ratings(DATA)


@cache
def _build_once() -> Recommender:
    return Recommender(_read_once())
