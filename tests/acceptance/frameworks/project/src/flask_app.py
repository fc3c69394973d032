"""A Flask app. Its views run without an event loop, so a call returns once it is on disk."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

from flask import Flask

from defer.welcome import welcome
from defer_cli import ExecutionNotFound, await_result, get_execution, get_execution_result

app = Flask(__name__)


@app.post("/welcome/<name>")
def post_welcome(name: str) -> tuple[dict[str, Any], int]:
    call = welcome(name)  # on disk when this returns
    return {"id": call.id}, 202


@app.get("/executions/<id>")
def show_execution(id: str) -> dict[str, Any]:
    execution = asyncio.run(get_execution(id))
    return {"state": execution.state}


@app.get("/executions/<id>/letter")
def show_letter(id: str) -> dict[str, Any]:
    return {"letter": asyncio.run(get_execution_result(id))}


@app.get("/letters/<name>")
def wait_for_letter(name: str) -> dict[str, Any]:
    return {"letter": await_result(welcome)(name).wait(timeout=20)}


@app.post("/mistake")
def post_mistake() -> tuple[dict[str, Any], int]:
    call = welcome("ann", {"since": datetime.now(UTC)})
    return {"id": call.id}, 202


@app.errorhandler(ExecutionNotFound)
def not_found(error: ExecutionNotFound) -> tuple[dict[str, Any], int]:
    return {"error": str(error)}, 404
