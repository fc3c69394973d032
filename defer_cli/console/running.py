"""Running a function by hand, with arguments as JSON; pausing a cron, and resuming it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from defer_cli.console.calling import COLLECTING, OPTIONS, Faults, call_in, told
from defer_cli.console.changing import to
from defer_cli.console.forms import Form, read_form
from defer_cli.console.function import signature
from defer_cli.console.pages import Pages
from defer_cli.console.views import View
from defer_cli.domain.enqueue import Refused
from defer_cli.domain.function import FunctionSpec, Parameter
from defer_cli.web.backend import Backend

_HINTS: Mapping[str, str] = {
    "var_positional": "a list, all that follows",
    "var_keyword": "an object, more by name",
}


class Argument(NamedTuple):
    """A parameter as the form asks for it."""

    parameter: Parameter
    typed: str

    @property
    def field(self) -> str:
        """The name of its field."""
        return f"argument.{self.parameter.name}"

    @property
    def is_required(self) -> bool:
        """Whether a call needs it."""
        return not self.parameter.has_default and self.parameter.kind not in COLLECTING

    @property
    def hint(self) -> str:
        """What may be written there, beside JSON."""
        return _HINTS.get(self.parameter.kind) or ("" if self.is_required else "optional")


class ByHand:
    """The form of a function, and what it leads to."""

    def __init__(self, backend: Backend, pages: Pages) -> None:
        self._backend = backend
        self._pages = pages

    async def ask(self, request: Request) -> Response:
        """Return the form."""
        return await self._form(request, self._spec(request), Form([]), {})

    async def run(self, request: Request) -> Response:
        """Enqueue a call and lead to its execution; the form again, as it was, with what is wrong in it."""
        spec, form = self._spec(request), await read_form(request)
        try:
            (result,) = await self._backend.insert([call_in(spec, form, self._backend.now_us())])
        except Faults as faults:
            return await self._form(request, spec, form, faults.of_fields)
        if isinstance(result, Refused):
            return await self._form(request, spec, form, {"key": told(result.problem, result.mend)})
        return to(f"/executions/{result.id}?done={'triggered' if result.is_new else 'held'}")

    async def pause(self, request: Request) -> Response:
        """Pause a cron."""
        return await self._set(request, "pause", "paused")

    async def resume(self, request: Request) -> Response:
        """Resume a cron."""
        return await self._set(request, "resume", "resumed")

    async def _set(self, request: Request, change: str, done: str) -> Response:
        name = request.path_params["name"]
        spec = self._backend.functions.get(name)
        if spec is None or spec.kind != "cron":
            raise HTTPException(404, f"There is no cron {name}.")
        back = (await read_form(request)).one("back")
        await self._backend.ask(change, names=[name])
        if back.partition("?")[0] != "/functions":
            return to(f"{request.url.path.rpartition('/')[0]}?done={done}")
        return to(f"{back}{'&' if '?' in back else '?'}done={done}")

    def _spec(self, request: Request) -> FunctionSpec:
        name = request.path_params["name"]
        spec = self._backend.functions.get(name)
        if spec is None:
            raise HTTPException(404, f"There is no function {name} that could run.")
        return spec

    async def _form(self, request: Request, spec: FunctionSpec, form: Form, faults: Mapping[str, str]) -> Response:
        of_arguments = [Argument(one, form.one(f"argument.{one.name}")) for one in spec.parameters]
        view = View(
            template="run.html",
            title=f"Run {spec.name}()",
            section="functions",
            data={
                "spec": spec,
                "signature": signature(spec),
                "arguments": of_arguments,
                "typed": {name: form.one(name) for name in OPTIONS},
                "faults": faults,
                "has_options": any(form.one(name) or name in faults for name in OPTIONS),
            },
            status=400 if faults else 200,
        )
        return await self._pages.answer(request, view)
