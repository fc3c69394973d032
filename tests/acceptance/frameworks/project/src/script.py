"""A script: what it calls is sent while it goes on, and what is left is sent at its end."""

from __future__ import annotations

import asyncio
import sys

from defer.welcome import welcome


async def main() -> None:
    for name in sys.argv[1:]:
        welcome(name)


if __name__ == "__main__":
    asyncio.run(main())
