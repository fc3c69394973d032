"""The API over ASGI, before the parts of a runner on a real store; executions are moved by hand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import httpx
import msgspec

from defer_cli.api.app import build_app
from defer_cli.domain.enqueue import Enqueue, Stored
from defer_cli.domain.execution import Execution
from defer_cli.domain.function import FunctionSpec, Parameter, Problem
from defer_cli.domain.ids import random_id
from defer_cli.domain.settle import Move, Running
from defer_cli.domain.states import State
from defer_cli.engine.dispatcher import Dispatcher
from defer_cli.engine.polls import Polls
from defer_cli.engine.requests import Requests
from defer_cli.intake import Intake
from defer_cli.reports import Reports
from defer_cli.store.sqlite import open_reader, open_store
from defer_cli.store.writer import Writer
from defer_cli.web.backend import Backend
from defer_cli.workers.pool import Pool
from tests.store.harness import Clock, aborted, fail, limits, retry, succeed
from tests.unit.engine.harness import FakeListener, FakePool

V2 = "/public/v2"
UNKNOWN = "01kb3m00000000000000000000"
"""An id that nothing has: the same in every process, for tests are named after it."""
ALL_STATES = tuple(map(str, State))


def function(name: str = "compute", *parameters: Parameter, kind: str = "function") -> FunctionSpec:
    return msgspec.convert(
        {"name": name, "kind": kind, "module": f"defer.{name}", "file": f"{name}.py", "line": 1}
        | {"parameters": msgspec.to_builtins(parameters)},
        FunctionSpec,
    )


REST = Parameter(name="rest", kind="var_positional")
FUNCTIONS = (
    function("compute", REST),
    function("greet_user", Parameter(name="name", kind="positional_or_keyword")),
    function("resize", Parameter(name="size", kind="keyword_only")),
    function("weekly", kind="cron"),
)


class Api:
    """A caller of the API, and the hand that moves executions."""

    def __init__(self, folder: Path, functions: Sequence[FunctionSpec] = FUNCTIONS) -> None:
        self.clock = Clock()
        store = open_store(folder / "defer.db", clock=self.clock, is_lasting=False)
        self.functions = {one.name: one for one in functions}
        self.problems: Sequence[Problem] = ()
        self.dispatcher = dispatcher = Dispatcher(slots=1, listener=FakeListener(), clock=store.now)
        self.writer = Writer(
            store,
            runner="a",
            on_claim=dispatcher.claimed,
            on_applied=dispatcher.applied,
            on_fatal=lambda error: None,
        )
        dispatcher.attach(self.writer, cast("Pool", FakePool(functions)))
        self.reports = Reports(lambda: open_reader(folder / "defer.db"))
        intake = Intake(self.writer)
        requests = Requests(intake, dispatcher, self.reports)
        self.polls = Polls(dispatcher, take_in=self._take_in)
        self.backend = Backend(
            ask=requests.answer,
            insert=intake.insert,
            functions=lambda: self.functions,
            clock=store.now,
            why_not_healthy=lambda: None,
            endings=self.polls.ends,
            problems=lambda: self.problems,
        )
        transport = httpx.ASGITransport(build_app(self.backend), raise_app_exceptions=False)
        self.http = httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1")
        self.writer.start()

    async def _take_in(self) -> None:
        """There is no inbox."""

    async def close(self) -> None:
        await self.http.aclose()
        self.reports.close()
        await self.writer.stop()

    # Asking.

    async def ask(self, method: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
        """Send a request below /public/v2; ``body`` is JSON, or bytes as they are."""
        return await self.send(method, f"{V2}/{path}", body, **more)

    async def send(self, method: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
        if body is not None:
            more["content"] = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.http.request(method, path, headers={"content-type": "application/json"}, **more)

    async def enqueue(self, name: str = "compute", *arguments: Any, **fields: Any) -> dict[str, Any]:
        """Store one call; return its execution."""
        body = {"function_name": name, "function_arguments": list(arguments), **fields}
        answer = await self.ask("PUT", "executions", body)
        assert answer.status_code == 201, answer.text
        told: dict[str, Any] = answer.json()["data"]
        return told

    # Moving.

    async def stored(self, function: str = "compute", *, arguments: bytes = b"[]", **fields: Any) -> str:
        """Store a call as it comes from elsewhere; return its id."""
        call = Enqueue(random_id(), function, arguments, self.clock.now_us, **fields)
        (told,) = await self.backend.insert([call])
        assert isinstance(told, Stored)
        return told.id

    async def start(self, id: str) -> Running:
        """Start an execution, which must be the only one that is due."""
        claim = await self.writer.submit(lambda store: store.claim(limit=1, runner="a", functions=limits("compute")))
        (running,) = claim.started
        assert running.id == id
        return running

    async def move(self, *moves: Move) -> None:
        assert all(await self.writer.submit(lambda store: store.apply(moves)))

    async def in_state(self, state: str, *, result: bytes | None = None) -> str:
        """Return the id of an execution in a state."""
        if state == State.DISCARDED:
            id = await self.stored(discard_us=self.clock.now_us)
            await self.writer.submit(lambda store: store.discard_due(limit=1))
            return id
        id = await self.stored()
        if state == State.CREATED:
            return id
        if state == State.CANCELLED:
            await self.writer.submit(lambda store: store.cancel(id))
            return id
        running = await self.start(id)
        if state in (State.ABORTING, State.ABORTED):
            await self.writer.submit(lambda store: store.abort(id))
        if state == State.ABORTED:
            await self.move(aborted(running))
        elif state == State.SUCCEED:
            await self.move(succeed(running, result=result))
        elif state == State.FAILED:
            await self.move(fail(running))
        return id

    async def retried(self) -> str:
        """Return the id of an execution that failed once and then succeeded."""
        id = await self.stored()
        await self.move(retry(await self.start(id)))
        self.clock.forward(2)
        await self.move(succeed(await self.start(id)))
        return id

    async def until_awaited(self, id: str) -> None:
        """Return once a request waits for the end of an execution: after a few turns of the loop."""
        for _ in range(1_000):
            if self.dispatcher.waiting.is_awaited(id):
                return
            await asyncio.sleep(0)
        raise TimeoutError(f"nobody waits for {id}")

    async def get(self, id: str) -> Execution:
        return msgspec.convert(await self.backend.ask("execution", id=id), Execution)


async def refused(api: Api, body: Any, status: int = 400) -> str:
    """Return the message of a call that is refused."""
    answer = await api.ask("PUT", "executions", body)
    assert answer.status_code == status, answer.text
    return str(answer.json()["message"])
