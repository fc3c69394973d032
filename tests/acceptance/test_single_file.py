"""`make binary`: one file, in an empty folder, with an empty environment, beside whatever the user has installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.acceptance.command import Living

ROOT = Path(__file__).parents[2]
DEADLINE_SECONDS = 60
pytestmark = [pytest.mark.slow, pytest.mark.process, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the file for this Python on this machine: the other ones only add their wheels."""
    folder = tmp_path_factory.mktemp("dist")
    began = time.monotonic()
    subprocess.run(
        ["make", "--no-print-directory", "binary", f"VENV={sys.prefix}", f"DIST={folder}", "BINARY_MACHINES="],
        cwd=ROOT,
        check=True,
        timeout=300,
    )
    size = (folder / "defer").stat().st_size
    print(f"\nthe file: {size / 1e6:.1f} MB, built in {time.monotonic() - began:.1f} s")
    assert [path.name for path in folder.iterdir()] == ["defer"]
    return folder / "defer"


@pytest.fixture
def here(built: Path, tmp_path: Path) -> Path:
    """Return a folder that holds the file, and nothing else."""
    shutil.copy(built, tmp_path)
    return tmp_path


def run(folder: Path, *words: str, env: Mapping[str, str] | None = None, python: Path | None = None) -> str:
    """Run the file with no other environment than ``env``; return what it says."""
    command = [*([str(python)] if python else []), "./defer", *words]
    done = subprocess.run(
        command, cwd=folder, env=env or {}, capture_output=True, text=True, check=False, timeout=DEADLINE_SECONDS
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@contextmanager
def developing(folder: Path, *words: str, env: Mapping[str, str] | None = None) -> Iterator[Living]:
    process = subprocess.Popen(
        [*words],
        cwd=folder,
        env=env or {},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    runner = Living(process)
    try:
        runner.line_with("is ready")
        yield runner
        assert runner.stop() == 0
    finally:
        process.kill()
        process.wait()
        runner._reader.join(DEADLINE_SECONDS)
        assert process.stdout is not None
        process.stdout.close()


def test_it_starts_in_an_empty_environment(here: Path) -> None:
    spans = []
    for _ in range(4):
        began = time.monotonic()
        assert run(here, "--version").startswith("defer ")
        spans.append(time.monotonic() - began)

    print(f"\nstart: {spans[0]:.2f} s where it was never run, then {min(spans[1:]):.2f} s")
    assert sorted(os.listdir(here)) == ["defer"]
    assert min(spans[1:]) < 3


def test_the_sample_app_runs_and_is_reloaded(here: Path) -> None:
    shutil.copytree(ROOT / "sample_app", here / "sample_app", ignore=shutil.ignore_patterns(".defer", "outbox"))
    function = here / "sample_app" / "src" / "defer" / "compute_product_recommendation.py"
    ask = ("trigger", "compute_product_recommendation", "3", "--wait", "--project", "sample_app")
    with developing(here, "./defer", "dev", "--project", "sample_app", "--workers", "1", "--port", "0") as runner:
        assert "[1192, 695, 309, 1208, 63]" in run(here, *ask)
        function.write_text(function.read_text().replace("return [pick", "return [-pick"))
        runner.line_with("compute_product_recommendation reloaded")
        assert "[-1192, -695, -309, -1208, -63]" in run(here, *ask)
        assert runner.line_with("console").split()[-1].startswith("http://127.0.0.1:")


@pytest.fixture
def users_python(tmp_path: Path) -> Path:
    """Return the Python of a venv in which the user has a package of his own, and one that defer has as well."""
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True, timeout=DEADLINE_SECONDS)
    (packages,) = (venv / "lib").glob("python3*/site-packages")
    (packages / "users_own.py").write_text("WORD = 'his'\n")
    (packages / "jinja2.py").write_text("WORD = 'his jinja2'\n")
    (packages / "msgspec.py").write_text("raise ImportError('too old for defer')\n")
    (packages / "defer_cli").mkdir()
    (packages / "defer_cli" / "__init__.py").write_text("raise ImportError('another version')\n")
    return venv / "bin" / "python"


FUNCTION = """
import jinja2
import users_own
from defer_cli import defer


@defer
async def look() -> list[str]:
    import os
    import sys

    import httpx

    ours = [name for name in os.environ if "PEX" in name or name == "_DEFER_PYTHON"]
    return [users_own.WORD, jinja2.WORD, httpx.__name__, sys.prefix, *ours]
"""


@pytest.mark.parametrize("way", ["active", "named"])
def test_functions_see_what_the_user_has_installed(here: Path, users_python: Path, way: str) -> None:
    (here / "src" / "defer").mkdir(parents=True)
    (here / "src" / "defer" / "look.py").write_text(FUNCTION)
    env = {"PATH": f"{users_python.parent}:/usr/bin:/bin", "DEFER_PORT": "off"} if way == "active" else {}
    first = ["./defer"] if way == "active" else [str(users_python), "./defer"]
    with developing(here, *first, "dev", "--workers", "1", "--port", "off", env=env):
        said = run(here, "trigger", "look", "--wait")

    assert f'["his", "his jinja2", "httpx", "{users_python.parents[1]}"]' in said.replace("\n", "")


def test_the_console_is_in_it(here: Path) -> None:
    (here / "src" / "defer").mkdir(parents=True)
    (here / "src" / "defer" / "f.py").write_text("from defer_cli import defer\n\n@defer\nasync def f(): ...\n")
    import httpx

    with developing(here, "./defer", "dev", "--workers", "1", "--port", "0") as runner:
        url = runner.line_with("console").split()[-1]

        assert httpx.get(f"{url}/health").json() == {"status": "ok"}
        assert "<html" in httpx.get(url, follow_redirects=True).text
