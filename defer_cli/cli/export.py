"""`defer export`: the files that deploy a project, none of which overwrites anything."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from defer_cli.cli.completing import one_of
from defer_cli.cli.failures import UsageError
from defer_cli.cli.options import Data, Directory, Grace, Host, LogFormat, Port, Project, Slots, Workers
from defer_cli.cli.output import say
from defer_cli.domain.visible import visible

if TYPE_CHECKING:
    from defer_cli.cli.exports.subject import Subject

KINDS = ("systemd", "docker", "compose", "kubernetes")
What = Annotated[
    str,
    typer.Argument(metavar="|".join(KINDS), help="What runs it.", autocompletion=one_of(KINDS), show_default=False),
]
Output = Annotated[str | None, typer.Option("--output", metavar="DIR", help="Where to write; default: the project.")]
Print = Annotated[bool, typer.Option("--print", help="Print the file to stdout, write none.")]
User = Annotated[str | None, typer.Option("--user", metavar="NAME", help="systemd: who runs it; default: the owner.")]
Writable = Annotated[
    list[str] | None,
    typer.Option("--writable", metavar="DIR", help="systemd: a folder that functions write to; may be repeated."),
]
Image = Annotated[str | None, typer.Option("--image", metavar="NAME", help="kubernetes: the image; default: NAME:1.")]


def export(
    what: What,
    *,
    project: Project = None,
    directory: Directory = None,
    data: Data = None,
    workers: Workers = None,
    slots: Slots = None,
    host: Host = None,
    port: Port = None,
    grace: Grace = None,
    log_format: LogFormat = None,
    output: Output = None,
    prints: Print = False,
    user: User = None,
    writable: Writable = None,
    image: Image = None,
) -> None:
    """Write the files that deploy this project with its settings; overwrite nothing."""
    from defer_cli.cli.exports.subject import find_subject

    if what not in KINDS:
        raise UsageError(f"nothing is exported for {visible(what)}", mend=f"it is one of {', '.join(KINDS)}")
    subject = find_subject(
        project,
        directory,
        data,
        workers=workers,
        slots=slots,
        host=host,
        port=port,
        grace=grace,
        log_format=log_format,
    )
    files = _files(what, subject, user=user, writable=writable or [], image=image)
    if prints:
        sys.stdout.write(next(iter(files.values())))
        return
    folder = Path(output) if output is not None else subject.project
    for line in _write(files, folder):
        print(visible(line))
    for line in _next(what, subject, folder, user=user, image=image):
        say(line)


def _files(
    what: str, subject: Subject, *, user: str | None, writable: list[str], image: str | None
) -> Mapping[str, str]:
    """Return the files by name; the first one is what was asked for, the others are what it needs."""
    from defer_cli.cli.exports import containers, systemd

    if what == "systemd":
        return {systemd.unit_name(subject): systemd.unit(subject, user=user, writable=writable)}
    if what == "compose":
        return containers.compose(subject)
    return containers.image(subject) if what == "docker" else containers.kubernetes(subject, named=image)


def _write(files: Mapping[str, str], folder: Path) -> Iterator[str]:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = folder / name
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(content)
        except FileExistsError:
            yield f"left    {os.path.relpath(path)}"
        else:
            yield f"wrote   {os.path.relpath(path)}"


def _next(what: str, subject: Subject, folder: Path, *, user: str | None, image: str | None) -> Iterator[str]:
    """Say what the files come to, and what to type next."""
    from defer_cli.cli.exports import containers, systemd

    yield f"\nA stop waits {subject.grace} for what runs, and takes {subject.stop_seconds} s at most."
    if what == "systemd":
        unit = folder / systemd.unit_name(subject)
        score = exposure(unit)
        if score is not None:
            yield f"systemd-analyze security: exposure {score}"
        yield "\nNext:"
        who = user or systemd.owner(subject)
        if not _is_known(who):
            yield f"  sudo useradd --system --no-create-home {who}"
        yield f"  sudo install -m 0644 {_typed(unit)} /etc/systemd/system/"
        yield f"  sudo systemctl daemon-reload && sudo systemctl enable --now {unit.stem}"
        yield f"  systemctl status {unit.stem}"
        return
    yield "\nNext:"
    if not any((subject.project / containers.WHEELS).glob("*.whl")):
        yield f"  pip wheel --no-deps -w {_typed(subject.project / containers.WHEELS)} PATH-OF-A-CLONE   # of defer"
    at, slug = _typed(folder), subject.slug
    fresh = '"$(head -c 24 /dev/urandom | base64)"'
    if what == "docker":
        yield f"  docker build --tag {slug} {at}"
        yield f"  export DEFER_TOKEN={fresh}"
        options = f"--env DEFER_TOKEN --volume {slug}:/data --stop-timeout {subject.stop_seconds}"
        yield f"  docker run --detach {options} {slug}"
    elif what == "compose":
        yield f"  export DEFER_TOKEN={fresh}"
        yield f"  docker compose --project-directory {at} up --build --detach --wait"
    else:
        yield f"  docker build --tag {shlex.quote(image or f'{slug}:1')} {at}   # push it to where the cluster pulls"
        yield f"  kubectl create secret generic {slug}-runner --from-literal=token={fresh}"
        yield f"  kubectl apply -f {_typed(folder / 'kubernetes.yaml')}"


def exposure(unit: Path) -> str | None:
    """Return what systemd says of how open a unit is, None where systemd is not there to ask."""
    if shutil.which("systemd-analyze") is None:
        return None
    told = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=30,
    )
    lines = [line for line in told.stdout.splitlines() if "exposure level" in line]
    return " ".join(lines[0].rpartition(":")[2].split()[:2]) if lines else None


def _is_known(user: str) -> bool:
    from pwd import getpwnam

    try:
        getpwnam(user)
    except KeyError:
        return user.isdecimal()
    return True


def _typed(path: Path) -> str:
    return shlex.quote(visible(os.path.relpath(path)))
