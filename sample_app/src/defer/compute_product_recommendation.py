"""The background function: work out what one user may like, and mail it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from defer_cli import current_execution, defer
from marketplace import shop
from marketplace.delivery import deliver
from marketplace.mail import recommendation_mail


@defer(concurrency=20)
async def compute_product_recommendation(user: int) -> list[int]:
    """Mail ``user`` five products and return them."""
    recommender = await asyncio.to_thread(shop.recommender)
    picks = recommender.recommend(user)
    mail = recommendation_mail(user, picks, execution_id=current_execution().id, at=datetime.now(UTC))
    await deliver(mail, user=user)
    return [pick.product for pick in picks]
