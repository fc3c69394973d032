"""The adjusted cosine, against numbers worked out on paper."""

from __future__ import annotations

from math import sqrt

import pytest

from marketplace.likeness import NEIGHBOURS, neighbours
from marketplace.ratings import Ratings

# From each user's mean (4, 3, 3):
#            10   20   30   40
#   user 1   +1    0   -1    .
#   user 2   +1   +1   -2    .
#   user 3   -2    0    .   +2


def test_likeness_is_the_cosine_of_ratings_from_each_users_mean(three_users: Ratings) -> None:
    ((product, likeness),) = neighbours(three_users)[10]

    assert product == 20
    assert likeness == pytest.approx(1 / sqrt(6))  # (1·0 + 1·1 - 2·0) / (√6 · √1)


def test_products_that_divide_the_users_are_no_neighbours(three_users: Ratings) -> None:
    assert 30 not in [product for product, _ in neighbours(three_users)[10]]


def test_likeness_is_mutual(three_users: Ratings) -> None:
    nearest = neighbours(three_users)

    assert nearest[20] == [(10, nearest[10][0][1])]


def test_a_product_rated_only_by_users_without_a_preference_has_no_neighbours() -> None:
    indifferent = Ratings(by_user={1: {10: 3, 20: 3}}, department_of={10: 1, 20: 1})

    assert neighbours(indifferent) == {10: [], 20: []}


def test_the_most_alike_come_first_and_the_rest_is_left_out() -> None:
    first, *others, last = range(100, 110 + NEIGHBOURS)
    by_user = {user: {1: 5, user: 5, 2: 1} for user in [first, *others, last]}
    by_user[0] = {1: 5, last: 5, 2: 1}
    ratings = Ratings(by_user, department_of=dict.fromkeys([1, 2, first, *others, last], 1))

    nearest = [product for product, _ in neighbours(ratings)[1]]

    assert nearest == [last, first, *others][:NEIGHBOURS]
