"""Which products a user may like, and why."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

from marketplace.likeness import neighbours
from marketplace.ratings import Ratings

DAMPING = 10  # a product's own mean weighs as much as everybody's mean once it has this many ratings


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A product for a user who has not rated it, and the reason in words."""

    product: int
    department: int
    reason: str


class Recommender:
    """Item-to-item collaborative filtering; asks nothing but who rated what."""

    def __init__(self, ratings: Ratings) -> None:
        self._ratings = ratings
        self._neighbours = neighbours(ratings)
        self._best = best_rated(ratings)

    def recommend(self, user: int, *, count: int = 5) -> list[Recommendation]:
        """Return ``count`` products that ``user`` has not rated, the best first; the same ones each time."""
        rated = self._ratings.by_user.get(user, {})
        picks: dict[int, Recommendation] = {}
        for pick in chain(self._like_those(rated), self._best_of_department(rated), self._best_of_all()):
            if len(picks) == count:
                break
            if pick.product not in rated:
                picks.setdefault(pick.product, pick)
        return list(picks.values())

    def _like_those(self, rated: Mapping[int, int]) -> Iterator[Recommendation]:
        if not rated:
            return
        mean = sum(rated.values()) / len(rated)
        scores: defaultdict[int, float] = defaultdict(float)
        strongest: dict[int, tuple[float, int]] = {}
        for product, rating in rated.items():
            for neighbour, likeness in self._neighbours[product]:
                pull = likeness * (rating - mean)
                scores[neighbour] += pull
                if pull > strongest.get(neighbour, (0.0, product))[0]:
                    strongest[neighbour] = (pull, product)

        liked = ((product, score) for product, score in scores.items() if score > 0)
        for product, _ in sorted(liked, key=lambda scored: (-scored[1], scored[0])):
            _, because = strongest[product]
            yield self._pick(product, f"because you rated product {because} {rated[because]}")

    def _best_of_department(self, rated: Mapping[int, int]) -> Iterator[Recommendation]:
        visits = Counter(self._ratings.department_of[product] for product in rated)
        if not visits:
            return
        home = min(visits, key=lambda department: (-visits[department], department))
        for product in self._best:
            if self._ratings.department_of[product] == home:
                yield self._pick(product, f"among the best rated of department {home}, where you rate most")

    def _best_of_all(self) -> Iterator[Recommendation]:
        for product in self._best:
            yield self._pick(product, "among the best rated of the whole marketplace")

    def _pick(self, product: int, reason: str) -> Recommendation:
        return Recommendation(product, self._ratings.department_of[product], reason)


def best_rated(ratings: Ratings) -> list[int]:
    """Return all products by their damped mean, the best first: a single 5 does not beat a hundred 4s."""
    given: defaultdict[int, list[int]] = defaultdict(list)
    for rated in ratings.by_user.values():
        for product, rating in rated.items():
            given[product].append(rating)
    everybody = sum(map(sum, given.values())) / sum(map(len, given.values()))

    def damped_mean(product: int) -> float:
        return (sum(given[product]) + DAMPING * everybody) / (len(given[product]) + DAMPING)

    return sorted(given, key=lambda product: (-damped_mean(product), product))
