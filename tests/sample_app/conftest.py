"""Where the sample app's code is, and a shop small enough to compute by hand."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

APP = Path(__file__).resolve().parents[2] / "sample_app"
# At the end: in front, the app's `defer` folder and its plain names would hide those of other tests.
sys.path.append(str(APP / "src"))

from marketplace.ratings import Ratings  # noqa: E402 - the line above makes it importable


@pytest.fixture
def app() -> Path:
    return APP


@pytest.fixture
def three_users() -> Ratings:
    """Users 1 and 2 agree about products 10 and 20; user 3 is their opposite."""
    return Ratings(
        by_user={1: {10: 5, 20: 4, 30: 3}, 2: {10: 4, 20: 4, 30: 1}, 3: {10: 1, 20: 3, 40: 5}},
        department_of={10: 1, 20: 1, 30: 2, 40: 2},
    )
