"""Running a function by hand, with arguments as JSON; pausing a cron, and resuming it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple, NoReturn

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from defer_cli.console.changing import to
from defer_cli.console.forms import Form, moment_in, read_form
from defer_cli.console.function import signature
from defer_cli.console.pages import Pages
from defer_cli.console.views import View
from defer_cli.domain.call_options import checked_key, checked_metadata
from defer_cli.domain.enqueue import Enqueue, Refused
from defer_cli.domain.errors import ArgumentError, SettingError
from defer_cli.domain.execution import to_microseconds
from defer_cli.domain.function import FunctionSpec, Parameter
from defer_cli.domain.ids import keyed_id, random_id
from defer_cli.intake import fit_arguments
from defer_cli.web.backend import Backend

_OPTIONS = ("delay", "discard_after", "key", "metadata")
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
        return not self.parameter.has_default and self.parameter.kind not in _HINTS

    @property
    def hint(self) -> str:
        """What may be written there, beside JSON."""
        return _HINTS.get(self.parameter.kind) or ("" if self.is_required else "optional")


class Faults(Exception):
    """What is wrong with a form, by field; under ``""`` what is wrong with it as a whole."""

    def __init__(self, of_fields: Mapping[str, str]) -> None:
        super().__init__()
        self.of_fields = of_fields


class Running:
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
            (result,) = await self._backend.insert([_call(spec, form, self._backend.now_us())])
        except Faults as faults:
            return await self._form(request, spec, form, faults.of_fields)
        if isinstance(result, Refused):
            return await self._form(request, spec, form, {"key": _told(result.problem, result.mend)})
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
                "typed": {name: form.one(name) for name in _OPTIONS},
                "faults": faults,
                "has_options": any(form.one(name) or name in faults for name in _OPTIONS),
            },
            status=400 if faults else 200,
        )
        return await self._pages.answer(request, view)


def _call(spec: FunctionSpec, form: Form, now_us: int) -> Enqueue:
    """Return the call that a form asks for; raise ``Faults``."""
    faults: dict[str, str] = {}
    arguments = b"[]"
    try:
        arguments = _arguments(spec, form)
    except Faults as found:
        faults.update(found.of_fields)
    except ArgumentError as error:
        faults[""] = _told(error.problem, error.mend)
    key = form.one("key").strip()
    options: dict[str, Any] = {"delay": None, "discard_after": None, "key": None, "metadata": None}
    for name, read in (
        ("delay", lambda: _microseconds(form, "delay")),
        ("discard_after", lambda: _microseconds(form, "discard_after")),
        ("key", lambda: checked_key(key) if key else None),
        ("metadata", lambda: _metadata(form.one("metadata"))),
    ):
        try:
            options[name] = read()
        except SettingError as error:
            faults[name] = _told(error.problem, error.mend)
    if faults:
        raise Faults(faults)
    return Enqueue(
        keyed_id(spec.name, key) if key else random_id(),
        spec.name,
        arguments,
        now_us,
        scheduled_us=options["delay"],
        discard_us=options["discard_after"],
        metadata=options["metadata"],
        key=options["key"],
    )


def _arguments(spec: FunctionSpec, form: Form) -> bytes:
    """Return the arguments as stored; raise ``Faults`` for those that are missing or no JSON, ``ArgumentError``."""
    args: list[object] = []
    kwargs: dict[str, object] = {}
    faults: dict[str, str] = {}
    left_out = ""
    for one in spec.parameters:
        field = f"argument.{one.name}"
        typed = form.one(field).strip()
        if not typed:
            left_out = left_out or field
            if not one.has_default and one.kind not in _HINTS:
                faults[field] = "It needs a value."
            continue
        try:
            value = _value(typed, one.kind)
        except ValueError as error:
            faults[field] = str(error)
            continue
        if one.kind == "var_keyword":
            doubled = sorted(set(value) & {other.name for other in spec.parameters})
            if doubled:
                faults[field] = f"{', '.join(doubled)} has a field of its own."
            kwargs.update(value)
        elif one.kind == "keyword_only" or (one.kind == "positional_or_keyword" and left_out):
            kwargs[one.name] = value
        elif left_out and value:
            faults.setdefault(left_out, f"It needs a value, for {one.name} comes after it by position.")
        else:
            args += value if one.kind == "var_positional" else [value]
    if faults:
        raise Faults(faults)
    return fit_arguments(spec, args, kwargs)


def _value(typed: str, kind: str) -> Any:
    """Return JSON data; raise ``ValueError`` with words for whoever has typed it."""
    try:
        value = json.loads(typed, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("It is nested too deeply.") from None
    except json.JSONDecodeError as error:
        mend = "" if typed[0] in '{["' else ' Write text in quotes: "text".'
        raise ValueError(f"It is not JSON: {error}.{mend}") from None
    except ValueError as error:
        raise ValueError("It has more digits than Python reads." if "digits" in str(error) else str(error)) from None
    if kind == "var_positional" and not isinstance(value, list):
        raise ValueError("Write a JSON array: [1, 2].")
    if kind == "var_keyword" and not isinstance(value, dict):
        raise ValueError('Write a JSON object: {"name": 1}.')
    return value


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON.")


def _microseconds(form: Form, field: str) -> int | None:
    when = moment_in(form, field)
    return None if when is None else to_microseconds(when)


def _metadata(text: str) -> dict[str, str] | None:
    pairs: dict[str, str] = {}
    for line in text.splitlines():
        if not line.strip():
            continue
        key, equals, value = line.partition("=")
        if not equals:
            raise SettingError(f"{line.strip()!r} is not key=value", where="metadata", mend="write one pair a line")
        pairs[key.strip()] = value.strip()
    return dict(checked_metadata(pairs)) if pairs else None


def _told(problem: str, mend: str | None) -> str:
    return f"{problem}: {mend}" if mend else problem
