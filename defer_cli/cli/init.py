"""`defer init`: a project's first files, none of which overwrites anything."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from pathlib import Path

from defer_cli.cli.options import Data, Project
from defer_cli.cli.output import say
from defer_cli.domain.errors import SettingError
from defer_cli.domain.visible import visible

FUNCTION = '''"""A background function: call it, and it runs in the background, with retries."""

from defer_cli import defer


@defer(concurrency=20)
async def send_greeting(name: str) -> str:
    greeting = f"Hello {name}!"
    print(greeting)
    return greeting
'''

CRON = '''"""A cron: the runner calls it by its schedule, in UTC."""

from defer_cli import defer

from .send_greeting import send_greeting

NAMES = ["Ada", "Grace", "Katherine"]


@defer.cron("0 8 * * MON")
async def greet_everyone() -> int:
    for name in NAMES:
        send_greeting(name)  # one execution each; all are on disk before this function has succeeded
    return len(NAMES)
'''

TEST = '''"""Run `pytest`: it needs no runner, and leaves the project's data alone."""

import asyncio

from defer_cli.testing import Sandbox

from .greet_everyone import greet_everyone
from .send_greeting import send_greeting


def test_a_greeting_names_who_is_greeted() -> None:
    assert asyncio.run(send_greeting.fn("Ada")) == "Hello Ada!"  # `.fn` is the plain function


def test_everyone_is_greeted(sandbox: Sandbox) -> None:  # calls go to this test's own store
    sandbox.trigger(greet_everyone)
    asyncio.run(sandbox.drain())  # runs what is queued, and what that calls

    assert [sandbox.result(one) for one in sandbox.executions(send_greeting)] == [
        "Hello Ada!",
        "Hello Grace!",
        "Hello Katherine!",
    ]
'''

FILES = {
    "__init__.py": "",
    "send_greeting.py": FUNCTION,
    "greet_everyone.py": CRON,
    "test_send_greeting.py": TEST,
}


def init(*, project: Project = None, data: Data = None) -> None:
    """Write a cron, a function, a test and the settings; overwrites nothing."""
    root = Path(os.path.abspath(project or os.curdir))
    table = _table_of(root)
    folder = _folder_of(root, table)
    written = [*_write_files(root, folder), *_write_settings(root, folder, table, data)]
    for line in written:
        print(visible(line))
    at = "" if root == Path.cwd() else f" --project {visible(str(project))}"
    say(f"\nNext:\n  defer check{at}\n  defer dev{at}\n  defer trigger send_greeting World --wait{at}")


def _folder_of(root: Path, table: dict[str, object] | None) -> Path:
    chosen = (table or {}).get("directory")
    if isinstance(chosen, str):
        return root / chosen
    if (root / "defer").is_dir() and not (root / "src" / "defer").is_dir():
        return root / "defer"
    return root / "src" / "defer"


def _write_files(root: Path, folder: Path) -> Iterator[str]:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in FILES.items():
        path = folder / name
        shown = os.path.relpath(path, root)
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(content)
        except FileExistsError:
            yield f"left    {shown}"
        else:
            yield f"wrote   {shown}"


def _write_settings(root: Path, folder: Path, table: dict[str, object] | None, data: str | None) -> Iterator[str]:
    if table is not None:
        yield "left    pyproject.toml ([tool.defer] is there)"
        return
    path = root / "pyproject.toml"
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    lines = ["[tool.defer]", f'directory = "{_toml(os.path.relpath(folder, root))}"']
    if data is not None:
        lines.append(f'data = "{_toml(data)}"')
    gap = "" if not before else "\n" if before.endswith("\n") else "\n\n"
    addition = gap + "\n".join(lines) + "\n"
    try:
        tomllib.loads(before + addition)
    except tomllib.TOMLDecodeError:  # `tool` is written as an inline table, which cannot be added to
        yield "left    pyproject.toml (nothing can be added to its table `tool`)"
        return
    with path.open("a", encoding="utf-8") as file:
        file.write(addition)
    yield f"{'added   [tool.defer] to' if before else 'wrote  '} pyproject.toml"


def _table_of(root: Path) -> dict[str, object] | None:
    path = root / "pyproject.toml"
    if not path.exists():
        return None
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {}).get("defer")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingError(f"it is not valid TOML: {error}", where=str(path), mend="mend the file") from None
    return table if table is None or isinstance(table, dict) else {}


def _toml(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
