"""The options that several commands share."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

Project: TypeAlias = Annotated[
    str | None,
    typer.Option("--project", metavar="DIR", help="The project; default: the nearest folder upward that is one."),
]
Directory: TypeAlias = Annotated[
    str | None,
    typer.Option("--directory", metavar="DIR", help="The folder of functions; default: src/defer, else defer."),
]
Data: TypeAlias = Annotated[
    str | None, typer.Option("--data", metavar="DIR", help="The data folder; default: .defer in the project.")
]
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Workers: TypeAlias = Annotated[
    str | None, typer.Option("--workers", metavar="N", help="Processes that run functions; default: one a core.")
]
Slots: TypeAlias = Annotated[
    str | None, typer.Option("--slots", metavar="N", help="Executions that one worker runs at once; default: 100.")
]
Grace: TypeAlias = Annotated[
    str | None, typer.Option("--grace", metavar="SPAN", help="How long a stop waits for what runs; default: 20s.")
]
Host: TypeAlias = Annotated[
    str | None,
    typer.Option("--host", metavar="HOST", help="Where console and API are served; beyond 127.0.0.1 it needs a token."),
]
Port: TypeAlias = Annotated[
    str | None,
    typer.Option("--port", metavar="N", help="The port of console and API; 0: any free one, off: none; default: 3337."),
]
LogFormat: TypeAlias = Annotated[
    str | None, typer.Option("--log-format", metavar="logfmt|json", help="The form of the records; default: logfmt.")
]
