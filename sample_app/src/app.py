"""Ask for one user's recommendation from a plain script: ``python src/app.py 1``."""

from __future__ import annotations

import argparse
import asyncio

from defer.compute_product_recommendation import compute_product_recommendation


async def main() -> None:
    """Store one call and print its id."""
    parser = argparse.ArgumentParser(description="Compute and mail the product recommendation of one user.")
    parser.add_argument("user", type=int, help="the user's number, such as 1")
    arguments = parser.parse_args()

    execution = await compute_product_recommendation(arguments.user)
    print(execution.id)


if __name__ == "__main__":
    asyncio.run(main())
