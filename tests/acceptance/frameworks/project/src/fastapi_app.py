"""A FastAPI app. Its handlers run on an event loop, so they await their calls."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import BackgroundTasks, Depends, FastAPI, Request
from fastapi.responses import JSONResponse

from defer.welcome import welcome
from defer_cli import Call, ExecutionNotFound, await_result, get_execution, get_execution_result

app = FastAPI()


@app.post("/welcome/{name}", status_code=202)
async def post_welcome(name: str) -> dict[str, Any]:
    execution = await welcome(name)  # on disk before the answer is sent
    return {"id": execution.id}


@app.get("/executions/{id}")
async def show_execution(id: str) -> dict[str, Any]:
    execution = await get_execution(id)
    return {"state": execution.state}


@app.get("/executions/{id}/letter")
async def show_letter(id: str) -> dict[str, Any]:
    return {"letter": await get_execution_result(id)}


@app.get("/letters/{name}")
async def wait_for_letter(name: str) -> dict[str, Any]:
    return {"letter": await await_result(welcome)(name)}


@app.post("/mistake", status_code=202)
async def post_mistake() -> dict[str, Any]:
    execution = await welcome("ann", {"since": datetime.now(UTC)})
    return {"id": execution.id}


@app.exception_handler(ExecutionNotFound)
async def not_found(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"error": str(error)}, status_code=404)


@app.post("/sync/welcome/{name}", status_code=202)
def post_welcome_from_a_thread(name: str) -> dict[str, Any]:
    call = welcome(name)  # FastAPI runs a plain `def` in a thread: on disk when this returns
    return {"id": call.id}


@app.post("/dependency/welcome/{name}", status_code=202)
async def post_welcome_by_dependency(call: Annotated[Call, Depends(welcome)]) -> dict[str, Any]:
    return {"id": call.id}


@app.post("/after/welcome/{name}", status_code=202)
async def post_welcome_after_the_answer(name: str, tasks: BackgroundTasks) -> dict[str, Any]:
    tasks.add_task(welcome, name)
    return {"name": name}
