"""Shell completion: in a real bash, and what zsh and fish are told."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.acceptance.command import Answer, defer, environment, living, write_function
from tests.acceptance.staging import FAR_US, put
from tests.acceptance.storing import stored
from tests.process.harness import until

pytestmark = [pytest.mark.process, pytest.mark.timeout(180)]
STATES = ["created", "started", "succeed", "failed", "cancelled", "aborting", "aborted", "discarded"]
IN_BASH = """
source <(env -u COMP_WORDS defer --show-completion)
COMP_WORDS=({words})
COMP_CWORD={place}
_defer_completion defer
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.fixture
def shell(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """Return the environment of a shell that has `defer` on its path."""
    folder = tmp_path_factory.mktemp("bin")
    program = folder / "defer"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m defer_cli "$@"\n')
    program.chmod(0o755)
    return environment({"PATH": f"{folder}:/usr/bin:/bin"})


def bash(script: str, folder: Path, env: Mapping[str, str]) -> Answer:
    done = subprocess.run(
        ["bash", "--norc", "-c", script + "\ntrue"],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Answer(done.returncode, done.stdout, done.stderr)


def completed(line: str, folder: Path, env: Mapping[str, str]) -> list[str]:
    """Return what a real bash offers at the end of ``line``."""
    words = line.split(" ")
    quoted = " ".join(shlex.quote(word) for word in words)
    answer = bash(IN_BASH.format(words=quoted, place=len(words) - 1), folder, env)
    assert answer.err == ""
    return answer.out.split()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("defer exe", ["executions"]),
        ("defer p", ["pause", "prune"]),
        ("defer executions --sta", ["--state"]),
        ("defer executions --state ", STATES),
        ("defer executions --state ab", ["aborting", "aborted"]),
        ("defer executions --state failed,dis", ["failed,discarded"]),
        ("defer executions --function ", ["broken", "greet", "weekly"]),
        ("defer executions --json --function we", ["weekly"]),
        ("defer executions --error-code ER0003,", [f"ER0003,ER000{number}" for number in range(4)]),
        ("defer executions --came-from t", ["tick"]),
        ("defer cancel --state cr", ["created"]),
        ("defer trigger we", ["weekly"]),
        ("defer pause ", ["weekly"]),
        ("defer resume weekly we", ["weekly"]),
        ("defer show ", []),
        ("defer nothing --x", []),
    ],
)
def test_bash_is_offered_what_may_follow(line: str, words: list[str], project: Path, shell: Mapping[str, str]) -> None:
    assert completed(line, project, shell) == words


def test_no_file_of_functions_is_imported(project: Path, shell: Mapping[str, str]) -> None:
    imported = project / "imported"
    write_function(project, "grow", f"open({str(imported)!r}, 'x')\n\n@defer\nasync def grow(): ...\n")

    assert completed("defer executions --function gr", project, shell) == ["greet", "grow"]
    assert not imported.exists()


def test_functions_of_a_named_project_are_offered(
    project: Path, shell: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")

    assert completed(f"defer executions --project {project} --function w", elsewhere, shell) == ["weekly"]
    assert completed("defer executions --function w", elsewhere, shell) == []


def test_a_living_runner_offers_recent_ids(project: Path, shell: Mapping[str, str]) -> None:
    ids = ["01m8aqk4rr520155ht1xqr1y3y", "01m8aqk4rr520155ht1xqr1y4z"]
    with stored(project) as store:
        for id in [*ids, "no $(id)"]:
            put(store, "greet", id=id, scheduled_us=FAR_US)
    alone = completed("defer show 01m8", project, shell)
    with living(project, "run", "--port", "off", ready='message="runner ready"'):
        until(lambda: completed("defer show ", project, shell) == ids[::-1], "the ids, in time for a shell")
        until(lambda: completed("defer logs 01m8aqk4rr520155ht1xqr1y4", project, shell) == ids[1:], "the one id")

    assert alone == []


def test_a_broken_project_offers_nothing_and_says_nothing(project: Path, shell: Mapping[str, str]) -> None:
    (project / "pyproject.toml").write_text("[tool.defer\n")

    assert completed("defer executions --function g", project, shell) == []


def test_zsh_and_fish_are_answered_too(project: Path) -> None:
    asked = {"_TYPER_COMPLETE_ARGS": "defer executions --state succ"}
    zsh = defer(project, env={**asked, "_DEFER_COMPLETE": "complete_zsh"})
    fish = defer(project, env={**asked, "_DEFER_COMPLETE": "complete_fish", "_TYPER_COMPLETE_FISH_ACTION": "get-args"})

    assert (zsh.out, zsh.err) == ("""_arguments '*: :(("succeed"))'\n""", "")
    assert (fish.out, fish.err) == ("succeed\n", "")


@pytest.mark.parametrize(
    ("shell_name", "line"),
    [("bash", "complete -o default -F"), ("zsh", "#compdef defer"), ("fish", "complete --command defer")],
)
def test_each_shell_has_its_script(shell_name: str, line: str, project: Path) -> None:
    answer = defer(project, "--show-completion", shell_name, env={"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"})

    assert (answer.code, answer.err) == (0, "")
    assert line in answer.out
    assert "_DEFER_COMPLETE=complete_" in answer.out


def test_completion_installs_itself_for_bash(
    project: Path, shell: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("home")
    answer = bash("defer --install-completion", project, {**shell, "HOME": str(home)})

    assert answer.code == 0
    assert "bash completion installed" in answer.out
    assert (home / ".bash_completions" / "defer.sh").read_text().startswith("_defer_completion()")
