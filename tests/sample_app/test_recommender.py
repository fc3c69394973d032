"""What is recommended, to whom, and for which reason."""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from pathlib import Path

import pytest

from marketplace import shop
from marketplace.ratings import Ratings, read_ratings
from marketplace.recommender import Recommender, best_rated


@pytest.fixture(scope="module")
def ratings() -> Ratings:
    return shop.ratings()


@pytest.fixture(scope="module")
def recommender() -> Recommender:
    return shop.recommender()


def test_users_who_rated_five_products_have_opted_in(app: Path, ratings: Ratings) -> None:
    with gzip.open(app / "data" / "ratings.csv.gz", "rt") as file:
        rated = Counter(row["user"] for row in csv.DictReader(file))

    assert ratings.opted_in() == sorted(int(user) for user, times in rated.items() if times >= 5)


def test_every_rating_of_the_file_is_read(ratings: Ratings) -> None:
    assert sum(map(len, ratings.by_user.values())) == 73_421


def test_a_product_that_was_rated_is_never_recommended(ratings: Ratings, recommender: Recommender) -> None:
    for user in ratings.opted_in():
        assert not {pick.product for pick in recommender.recommend(user)} & ratings.by_user[user].keys()


def test_everyone_gets_five_different_products(ratings: Ratings, recommender: Recommender) -> None:
    for user in ratings.by_user:
        assert len({pick.product for pick in recommender.recommend(user)}) == 5


def test_the_reason_names_a_product_that_the_user_rated_above_their_mean(
    ratings: Ratings, recommender: Recommender
) -> None:
    rated = ratings.by_user[3]

    for pick in recommender.recommend(3):
        product, rating = (int(word) for word in pick.reason.removeprefix("because you rated product ").split())
        assert rated[product] == rating > sum(rated.values()) / len(rated)


def test_a_recommender_built_anew_recommends_the_same(app: Path, ratings: Ratings, recommender: Recommender) -> None:
    another = Recommender(read_ratings(app / "data" / "ratings.csv.gz"))

    assert all(another.recommend(user) == recommender.recommend(user) for user in ratings.opted_in()[:200])


def test_the_neighbour_of_a_liked_product_comes_first(three_users: Ratings) -> None:
    three_users.by_user[4] = {10: 5, 40: 1}

    first, *_ = Recommender(three_users).recommend(4)

    assert (first.product, first.department, first.reason) == (20, 1, "because you rated product 10 5")


def test_the_neighbour_of_a_disliked_product_is_not_recommended_for_its_sake(three_users: Ratings) -> None:
    three_users.by_user[4] = {10: 1, 40: 5}

    assert not any(pick.reason.startswith("because") for pick in Recommender(three_users).recommend(4))


def test_a_user_who_likes_everything_the_same_gets_the_best_of_their_department(three_users: Ratings) -> None:
    three_users.by_user[4] = {10: 5}

    first, *_ = Recommender(three_users).recommend(4)

    assert (first.product, first.reason) == (20, "among the best rated of department 1, where you rate most")


def test_a_user_unknown_so_far_gets_the_best_of_the_marketplace(
    three_users: Ratings,
) -> None:
    picks = Recommender(three_users).recommend(99, count=2)

    assert [pick.product for pick in picks] == best_rated(three_users)[:2]
    assert {pick.reason for pick in picks} == {"among the best rated of the whole marketplace"}


def test_a_shop_with_too_few_products_recommends_what_it_has(three_users: Ratings) -> None:
    assert len(Recommender(three_users).recommend(1)) == 1


def test_many_good_ratings_beat_a_single_perfect_one() -> None:
    by_user = {user: {1: 4, 3: 2} for user in range(100)} | {100: {2: 5}}

    assert best_rated(Ratings(by_user, {1: 1, 2: 1, 3: 1})) == [1, 2, 3]
