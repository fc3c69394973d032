"""What users rated, and the department each product stands in."""

from __future__ import annotations

import csv
import gzip
from dataclasses import dataclass
from pathlib import Path

OPT_IN_AT = 5


@dataclass(frozen=True, slots=True)
class Ratings:
    """Every rating (1 to 5) by user and product, and the catalogue they speak of."""

    by_user: dict[int, dict[int, int]]
    department_of: dict[int, int]

    def opted_in(self) -> list[int]:
        """Return the users who want the weekly mail: all who rated at least five products."""
        return sorted(user for user, rated in self.by_user.items() if len(rated) >= OPT_IN_AT)


def read_ratings(path: Path) -> Ratings:
    """Read a gzipped CSV with the columns user, product, department, rating."""
    by_user: dict[int, dict[int, int]] = {}
    department_of: dict[int, int] = {}
    with gzip.open(path, "rt", encoding="ascii", newline="") as file:
        rows = csv.reader(file)
        next(rows)
        for user, product, department, rating in rows:
            by_user.setdefault(int(user), {})[int(product)] = int(rating)
            department_of[int(product)] = int(department)
    return Ratings(by_user, department_of)
