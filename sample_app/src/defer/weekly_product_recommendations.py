"""The cron: every Monday at 8:00 UTC, one recommendation for each user who opted in."""

from __future__ import annotations

import asyncio

from defer_cli import defer
from marketplace import shop

from .compute_product_recommendation import compute_product_recommendation


@defer.cron("0 8 * * MON")
async def weekly_product_recommendations() -> int:
    """Start a recommendation for each user who opted in; return how many there are."""
    ratings = await asyncio.to_thread(shop.ratings)
    users = ratings.opted_in()
    for user in users:
        compute_product_recommendation(user)
    return len(users)
