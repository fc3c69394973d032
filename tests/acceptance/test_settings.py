"""Where a command takes its settings and variables from, and what it says of a wrong one; with real runners."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.command import Answer, defer
from tests.acceptance.developing import answering, dev
from tests.process.harness import Project

pytestmark = [pytest.mark.process, pytest.mark.timeout(90)]
ENVIRONMENT = """
    @defer
    async def variables():
        return {name: os.environ.get(name) for name in %r}
"""


@pytest.fixture
def mine(tmp_path: Path) -> Project:
    project = Project(tmp_path / "app")
    answering(project, "greet", "mine")
    return project


def ready_record(folder: Path, *words: str, env: dict[str, str] | None = None) -> dict[str, Any]:
    """Return what a burst says it is."""
    answer = defer(folder, "run", "--burst", "--log-format", "json", *words, env=env)
    assert answer.code == 0, answer.err
    (ready,) = [record for record in map(json.loads, answer.out.splitlines()) if record["message"] == "runner ready"]
    return dict(ready)


def test_the_real_environment_wins_over_the_env_file(mine: Project) -> None:
    names = ["SHOP", "CITY"]
    mine.write(variables=ENVIRONMENT % names)
    (mine.root / ".env").write_text("SHOP=file\nCITY=file\n")
    with dev(mine, env={"SHOP": "real"}) as running:
        assert running.result(mine, "variables") == {"SHOP": "real", "CITY": "file"}


def test_no_secret_of_defer_is_in_a_workers_environment(mine: Project) -> None:
    names = ["DEFER_TOKEN", "DEFER_TOKEN_FILE", "DEFER_DATABASE_URL", "DEFER_SLACK_WEBHOOK_URL", "DEFER_SMTP_PASSWORD"]
    mine.write(variables=ENVIRONMENT % [*names, "SHOP_TOKEN"])
    (mine.root / ".env").write_text("".join(f"{name}=file\n" for name in names))
    secrets = {name: "secret" for name in names if name != "DEFER_DATABASE_URL"}
    secrets["DEFER_SLACK_WEBHOOK_URL"] = "https://hooks.slack.com/secret"
    with dev(mine, env={**secrets, "SHOP_TOKEN": "theirs"}) as running:
        assert running.result(mine, "variables") == dict.fromkeys(names) | {"SHOP_TOKEN": "theirs"}
        pids = [running.pid, *running.worker_pids()]
        environments = [Path(f"/proc/{pid}/environ").read_bytes() for pid in pids]

    assert [b"DEFER_TOKEN=" in environment for environment in environments] == [True, False]


def test_two_projects_run_side_by_side(mine: Project, tmp_path: Path) -> None:
    theirs = Project(tmp_path / "other")
    answering(theirs, "greet", "theirs")
    with dev(mine) as one, dev(theirs) as other:
        answering(theirs, "greet", "newer")
        other.next_line("greet reloaded")

        assert (one.result(mine, "greet"), other.result(theirs, "greet")) == ("mine", "newer")
        assert [line for line in one.lines if "changed" in line] == []


def test_a_project_is_worked_on_from_another_directory(mine: Project, tmp_path: Path) -> None:
    with dev(mine):
        answer = defer(tmp_path, "trigger", "greet", "--project", "app", "--wait", "--timeout", "30")

    assert (answer.code, answer.out.splitlines()[1:]) == (0, ['"mine"'])


def test_dev_works_on_a_project_from_another_directory(mine: Project, tmp_path: Path) -> None:
    with dev(mine, "--project", "app", cwd=tmp_path) as running:
        answering(mine, "greet", "newer")
        running.next_line("greet reloaded")

        assert running.result(mine, "greet") == "newer"


def test_the_data_folder_of_the_environment_is_used_and_found_again(mine: Project, tmp_path: Path) -> None:
    data = tmp_path / "elsewhere"
    with dev(mine, env={"DEFER_DATA": str(data)}, data=data) as running:
        running.until_line("store", str(data / "defer.db"))
        answer = defer(mine.root, "trigger", "greet", "--wait", "--timeout", "30")

    assert (answer.code, answer.out.splitlines()[1:]) == (0, ['"mine"'])
    assert not (mine.data / "defer.db").exists()


def test_the_folders_of_pyproject_are_used(mine: Project) -> None:
    (mine.root / "pyproject.toml").write_text('[tool.defer]\ndirectory = "lib/jobs"\ndata = "var"\n')
    (mine.root / "lib").mkdir()
    mine.folder = mine.folder.rename(mine.root / "lib" / "jobs")
    (mine.root / "src" / "notes.py").rename(mine.root / "lib" / "notes.py")
    with dev(mine, data=mine.root / "var") as running:
        answering(mine, "greet", "newer")
        running.next_line("greet reloaded")
        answer = defer(mine.root, "trigger", "greet", "--wait", "--timeout", "30")

    assert (answer.code, answer.out.splitlines()[1:]) == (0, ['"newer"'])


def test_flag_environment_env_file_pyproject_default_in_this_order(mine: Project) -> None:
    assert ready_record(mine.root)["slots"] == 100
    (mine.root / "pyproject.toml").write_text("[tool.defer]\nslots = 1\nworkers = 1\n")
    assert ready_record(mine.root)["slots"] == 1
    (mine.root / ".env").write_text("DEFER_SLOTS=2\n")
    assert ready_record(mine.root)["slots"] == 2
    assert ready_record(mine.root, env={"DEFER_SLOTS": "3"})["slots"] == 3
    assert ready_record(mine.root, "--slots", "4", env={"DEFER_SLOTS": "3"})["slots"] == 4


WRONG: dict[str, tuple[str, dict[str, str], tuple[str, ...], int, str]] = {
    "a flag": ("", {}, ("--workers", "0"), 2, "--workers"),
    "the environment": ("", {"DEFER_WORKERS": "0"}, (), 3, "DEFER_WORKERS in the environment"),
    "the env file": ("DEFER_GRACE=soon", {}, (), 3, "DEFER_GRACE in .env"),
    "pyproject": ("[tool.defer]\nslots = 'many'", {}, (), 3, "[tool.defer] slots in pyproject.toml"),
    "a name": ("[tool.defer]\nslot = 1", {}, (), 3, "[tool.defer] slot in pyproject.toml"),
    "a token": ("[tool.defer]\ntoken = 'x'", {}, (), 3, "[tool.defer] token in pyproject.toml"),
    "toml": ("[tool.defer\n", {}, (), 3, "pyproject.toml"),
    "a folder": ("[tool.defer]\ndirectory = 'none'", {}, (), 3, "none"),
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("command", ["dev", "run"])
def test_a_wrong_setting_says_where_and_how_to_mend_it(command: str, wrong: str, mine: Project) -> None:
    text, env, flags, code, where = WRONG[wrong]
    (mine.root / ("pyproject.toml" if text.startswith("[") else ".env")).write_text(text)
    answer: Answer = defer(mine.root, command, *flags, env=env)

    assert (answer.code, answer.out) == (code, "")
    first, second, third = answer.err.splitlines()
    assert first.startswith("error: ")
    assert second.startswith("  where: ")
    assert where in second
    assert third.startswith("  mend:  ")
