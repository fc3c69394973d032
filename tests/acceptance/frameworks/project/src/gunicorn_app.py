"""The Flask app for Gunicorn with --preload: calls in the master before the fork, others in each worker."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from defer.welcome import welcome
from flask_app import app

TEAM = 50


async def welcome_team() -> None:
    for number in range(TEAM):
        welcome(f"member {number}")


welcome("everybody")
asyncio.run(welcome_team())  # not awaited: the fork may come while they are on their way


@app.post("/pid/<name>")
def post_from_worker(name: str) -> dict[str, Any]:
    return {"pid": os.getpid(), "id": welcome(name).id}
