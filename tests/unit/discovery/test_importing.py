"""How workers import what the inspector has seen."""

from __future__ import annotations

import os
import py_compile
import subprocess
import sys
import time
from pathlib import Path

import pytest

from defer_cli.discovery.importing import module_name, package_of
from tests.unit.discovery.projects import SmallProject, right

PROGRAM = """
import sys
from pathlib import Path
from defer_cli.discovery.importing import import_function, prepare

prepare(Path(sys.argv[1]), Path(sys.argv[2]))
heavy = {"msgspec", "typer", "rich", "croniter", "sqlite3"} & set(sys.modules)
print(import_function(*sys.argv[3:]).__qualname__, *heavy)
"""


def imported(project: SmallProject, module: str, name: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROGRAM, str(project.root), str(project.folder), module, "src/defer", name]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_a_worker_gets_the_plain_function_without_loading_anything_heavy(project: SmallProject) -> None:
    project.write("send.py", right("send"))

    assert imported(project, "defer.send", "send").stdout == "send\n"


def test_a_function_bound_to_default_is_found(project: SmallProject) -> None:
    project.write("nightly.py", "async def nightly(): ...\ndefault = defer.cron(nightly, '@daily')\n")

    assert imported(project, "defer.nightly", "nightly").stdout == "nightly\n"


def test_a_function_that_is_gone_is_an_error(project: SmallProject) -> None:
    project.write("send.py", "")

    assert "'send' is no longer a background function" in imported(project, "defer.send", "send").stderr


def test_a_worker_imports_a_right_file_that_imports_a_wrong_one(project: SmallProject) -> None:
    project.write("bad.py", "@defer(concurrency=0)\nasync def bad(): ...\n")
    project.write("send.py", "from .bad import bad\n" + right("send"))

    assert imported(project, "defer.send", "send").stdout == "send\n"


def test_bytecode_that_somebody_wrote_of_an_earlier_save_is_not_taken(project: SmallProject) -> None:
    """Python itself takes it: the two are of the same second and size."""
    file, second_ns = project.folder / "send.py", time.time_ns() // 10**9 * 10**9
    project.write("send.py", "NAME = 'old'\n")
    os.utime(file, ns=(second_ns, second_ns))
    cached = py_compile.compile(str(file))
    assert cached is not None
    os.utime(cached, ns=(second_ns + 1_000, second_ns + 1_000))
    project.write("send.py", "NAME = 'new'\n")
    os.utime(file, ns=(second_ns + 2_000, second_ns + 2_000))
    look = "import sys; sys.path.insert(0, sys.argv[2]); from send import NAME; print(NAME)"
    prepared = "from defer_cli.discovery.importing import prepare; from pathlib import Path; import sys; "

    def seen(program: str) -> str:
        command = [sys.executable, "-c", program, str(project.root), str(project.folder)]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()

    assert seen(look) == "old"
    assert seen(f"{prepared}prepare(*map(Path, sys.argv[1:])); {look}") == "new"


@pytest.mark.parametrize(
    ("initialized", "package", "base"),
    [((), "defer", "src"), (("src/defer",), "defer", "src"), (("src", "src/defer"), "src.defer", ".")],
)
def test_a_package_reaches_up_as_far_as_init_files_do(
    tmp_path: Path, initialized: tuple[str, ...], package: str, base: str
) -> None:
    folder = tmp_path / "src" / "defer"
    folder.mkdir(parents=True)
    for place in initialized:
        (tmp_path / place / "__init__.py").touch()

    assert package_of(folder) == (package, tmp_path / base)
    assert module_name(folder, folder / "mail" / "send.py") == f"{package}.mail.send"
