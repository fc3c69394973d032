"""`/public/v2/executions`: calls, questions and changes about executions."""

from __future__ import annotations

from difflib import get_close_matches

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from defer_cli.api.backend import Backend
from defer_cli.api.bodies import EnqueueBody, plain, read_body
from defer_cli.api.failures import Refusal
from defer_cli.api.shapes import data, execution_object
from defer_cli.domain.arguments import encode_arguments
from defer_cli.domain.call_options import checked_metadata
from defer_cli.domain.enqueue import Enqueue, Refused
from defer_cli.domain.execution import to_microseconds
from defer_cli.domain.function import FunctionSpec
from defer_cli.domain.ids import random_id

V2 = "/public/v2"


def executions_routes(backend: Backend) -> list[Route]:
    """Return the routes of calls and executions."""
    executions = Executions(backend)
    return [
        Route(f"{V2}/executions", executions.enqueue, methods=["PUT"]),
        Route(f"{V2}/executions/{{id}}", executions.get, methods=["GET"]),
    ]


class Executions:
    """The handlers; what they mean is decided in ``intake``, ``changes`` and ``reports``."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def enqueue(self, request: Request) -> Response:
        """Store one call: 201 once it is on disk."""
        call = self._call(await read_body(request, EnqueueBody))
        (stored,) = await self._backend.insert([call])
        if isinstance(stored, Refused):
            raise Refusal(409, stored.problem, mend=stored.mend)
        return data(execution_object(await self._backend.ask("execution", id=call.id)), 201)

    async def get(self, request: Request) -> Response:
        """Return one execution, or one attempt of it."""
        return data(execution_object(await self._backend.ask("execution", id=request.path_params["id"])))

    def _call(self, body: EnqueueBody) -> Enqueue:
        spec = self._function(body.function_name)
        arguments = plain(body.function_arguments, where="function_arguments")
        if not isinstance(arguments, list):
            raise Refusal(400, "it is not an array", where="function_arguments")
        return Enqueue(
            random_id(),
            spec.name,
            encode_arguments(arguments, {})[0],
            self._backend.now_us(),
            scheduled_us=None if body.schedule_for is None else to_microseconds(body.schedule_for),
            discard_us=None if body.discard_after is None else to_microseconds(body.discard_after),
            metadata=dict(checked_metadata(body.metadata)) if body.metadata else None,
        )

    def _function(self, name: str) -> FunctionSpec:
        """Return the function a caller means: by its name, or by the snake_case of a camelCase one."""
        functions = self._backend.functions
        spec = functions.get(name) or functions.get(snake_case(name))
        if spec is None:
            near = get_close_matches(snake_case(name), functions, n=1)
            raise Refusal(400, f'cannot find function "{name}"', mend=f"did you mean {near[0]}?" if near else None)
        if spec.kind == "cron":
            raise Refusal(
                400, f'"{name}" is a cron, which takes no calls', mend=f"run it with `defer trigger {spec.name}`"
            )
        return spec


def snake_case(name: str) -> str:
    """Return the Python form of a JavaScript name: ``computeUser`` is ``compute_user``."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
