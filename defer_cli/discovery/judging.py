"""The rule of the folder for one imported file: what it defines, and what is wrong with that."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from msgspec import Struct

from defer_cli.background import BackgroundFunction, CronFunction
from defer_cli.definitions import Definition
from defer_cli.discovery.scan import relative_to
from defer_cli.domain.function import FunctionSpec, Parameter, Problem


class ImportedFile(Struct, frozen=True):
    """A function file after its import, and the definitions that were made by it."""

    path: Path
    module: ModuleType
    own: Sequence[Definition]
    project: Path

    @property
    def stem(self) -> str:
        """The name that its function must have."""
        return self.path.stem

    def problem(
        self, code: str, problem: str, mend: str, *, definition: Definition | None = None, is_warning: bool = False
    ) -> Problem:
        """Return a problem of this file, at the line of ``definition``."""
        return Problem(
            code=code,
            problem=problem,
            file=relative_to(self.project, self.path),
            line=definition.line if definition else None,
            mend=mend,
            function=definition.name if definition else None,
            is_warning=is_warning,
        )


def judge(file: ImportedFile) -> Iterator[Problem]:
    """Yield what is wrong with the way ``file`` defines its function, warnings included."""
    if not file.own:
        yield _without_function(file)
        return
    first, *others = file.own
    if others:
        yield _with_several(file)
        return
    if not first.name.isidentifier():  # "<lambda>" and its like were told of when they were defined
        return
    if first.name != file.stem:
        yield _with_other_name(file, first)
    if not any(_wraps(vars(file.module).get(name), first) for name in (first.name, file.stem, "default")):
        yield _not_bound(file, first)
    elif first.kind == "function" and vars(file.module).get(first.name) is first.fn:
        yield file.problem(
            "DEF101",
            f"`default` is the background function, but {first.name!r} is still the plain one:"
            " calling it from here runs it at once, in the caller",
            f"write @defer above `async def {first.name}`, or `{first.name} = defer({first.name})`",
            definition=first,
            is_warning=True,
        )


def same_names(files: Sequence[ImportedFile]) -> Iterator[Problem]:
    """Yield a problem for each file whose function has the name of another's."""
    holders: dict[str, list[ImportedFile]] = {}
    for file in files:
        if len(file.own) == 1:
            holders.setdefault(file.own[0].name, []).append(file)
    for name, sharing in holders.items():
        for file in sharing if len(sharing) > 1 else ():
            others = [
                f"{relative_to(file.project, other.path)}:{other.own[0].line}" for other in sharing if other is not file
            ]
            yield file.problem(
                "DEF007",
                f"{name!r} is also defined in {', '.join(others)}",
                "rename one function and its file: names are unique over all sub-folders",
                definition=file.own[0],
            )


def describe_function(file: ImportedFile) -> FunctionSpec:
    """Return what the runner needs to know of the one function of ``file``."""
    (definition,) = file.own
    doc = inspect.getdoc(definition.fn)
    return FunctionSpec(
        name=definition.name,
        kind=definition.kind,
        module=file.module.__name__,
        file=relative_to(file.project, file.path),
        line=definition.line,
        options=definition.options,
        schedule=definition.schedule,
        parameters=_parameters(definition),
        doc=doc.strip().partition("\n")[0] if doc and doc.strip() else None,
    )


def _parameters(definition: Definition) -> tuple[Parameter, ...]:
    return tuple(
        Parameter(
            name=parameter.name,
            kind=cast("Any", parameter.kind.name.lower()),
            has_default=parameter.default is not inspect.Parameter.empty,
        )
        for parameter in inspect.signature(definition.fn).parameters.values()
    )


def _without_function(file: ImportedFile) -> Problem:
    bound = vars(file.module).get(file.stem)
    if isinstance(bound, BackgroundFunction | CronFunction):
        where = f"{relative_to(file.project, bound.file)}:{bound.line}"
        problem, mend = f"defines no background function: {file.stem!r} comes from {where}", "define it here"
    elif inspect.iscoroutinefunction(bound):
        problem, mend = f"defines no background function: {file.stem!r} is plain", f"write @defer above {file.stem!r}"
    else:
        problem = "defines no background function"
        mend = f"add `@defer async def {file.stem}(...)`, or move the file out of the folder if it holds helpers"
    return file.problem("DEF001", problem, mend)


def _with_several(file: ImportedFile) -> Problem:
    shown = [f"{definition.name!r} (line {definition.line})" for definition in file.own]
    extra = next((item for item in file.own if item.name != file.stem), file.own[-1])
    again = len({definition.name for definition in file.own}) == 1
    return file.problem(
        "DEF002",
        f"defines {len(shown)} background functions: {', '.join(shown[:-1])} and {shown[-1]}",
        "remove one of them" if again else f"keep one a file: move {extra.name!r} to {extra.name}.py",
        definition=extra,
    )


def _with_other_name(file: ImportedFile, definition: Definition) -> Problem:
    if "<locals>" in getattr(definition.fn, "__qualname__", "") and not hasattr(definition.fn, "__wrapped__"):
        maker = definition.fn.__qualname__.partition(".")[0]
        mend = (
            f"{definition.name!r} is the wrapper inside {maker!r}: write @functools.wraps(fn) above it,"
            " so that it takes the name of the function"
        )
    else:
        mend = f"rename the function to {file.stem!r}, or the file to {definition.name}.py"
    return file.problem(
        "DEF003", f"the function is called {definition.name!r}, the file {file.stem!r}", mend, definition=definition
    )


def _not_bound(file: ImportedFile, definition: Definition) -> Problem:
    name = definition.name
    top = vars(file.module)
    qualname = getattr(definition.fn, "__qualname__", name)
    holder = qualname.rpartition(".")[0]
    if holder and "<locals>" not in holder and inspect.isclass(top.get(holder.partition(".")[0])):
        problem, mend = f"{name!r} is defined inside the class {holder!r}", f"move it out of {holder!r}"
    elif name in top and top[name] is not definition.fn:
        problem = f"{name!r} at the top of the file is not the background function but something around it"
        mend = "make defer the outermost decorator: write @defer above the others"
    else:
        bound_as = next((key for key, value in top.items() if _wraps(value, definition)), None)
        problem = f"{name!r} is defined, but bound {f'to {bound_as!r}' if bound_as else 'to no name'}"
        mend = f"bind it at the top of the file: write @defer above `async def {name}`, or `default = defer(...)`"
    return file.problem("DEF013", problem, mend, definition=definition)


def _wraps(value: object, definition: Definition) -> bool:
    return isinstance(value, BackgroundFunction | CronFunction) and value.fn is definition.fn
