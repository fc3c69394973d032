"""How alike two products are in the eyes of the users who rated both."""

from __future__ import annotations

from heapq import nsmallest
from math import sqrt
from typing import TypeAlias

from marketplace.ratings import Ratings

NEIGHBOURS = 40

# A product that is liked by those who like another one, and how alike (0 to 1) the two are.
Neighbour: TypeAlias = tuple[int, float]


def neighbours(ratings: Ratings) -> dict[int, list[Neighbour]]:
    """Return each product's nearest neighbours, the most alike first.

    The measure is the adjusted cosine: each rating counts from its user's mean, because a 3 from a stern user is
    praise and a 3 from a generous one is not. A product somebody did not rate counts as average for that user, so
    two products that hardly anyone rated together are never very alike.
    """
    products = sorted(ratings.department_of)
    dots = _dot_products(ratings, products)
    lengths = [sqrt(dots[n][n]) for n in range(len(products))]
    nearest = {}
    for n, product in enumerate(products):
        alike = [(-dot / (lengths[n] * lengths[m]), products[m]) for m, dot in enumerate(dots[n]) if dot > 0 and m != n]
        nearest[product] = [(other, -unlike) for unlike, other in nsmallest(NEIGHBOURS, alike)]
    return nearest


def _dot_products(ratings: Ratings, products: list[int]) -> list[list[float]]:
    place = {product: n for n, product in enumerate(products)}
    dots = [[0.0] * len(products) for _ in products]
    for rated in ratings.by_user.values():
        mean = sum(rated.values()) / len(rated)
        centred = [(place[product], rating - mean) for product, rating in rated.items()]
        for n, mine in centred:
            row = dots[n]
            for m, other in centred:
                row[m] += mine * other
    return dots
