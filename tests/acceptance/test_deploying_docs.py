"""docs/deploying.md: its commands are typed, what it says of the files is so; those of Docker are read."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.acceptance.exporting import dockerfile_of, documents_of, unit_of
from tests.acceptance.pages import DOCS, Reader, blocks, shell

NAME = "deploying.md"
PAGE = blocks(NAME)
TEXT = (DOCS / NAME).read_text()
ELSEWHERE = [line for block in PAGE if not block.kind for line in block.text.splitlines()]
"""Commands of programs that this machine may lack."""


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page") / "my-app"
    folder.mkdir()
    with shell(folder, env={"DEFER_PORT": ""}) as typed:
        Reader(typed, folder, {}, {}).follow(PAGE)
    return folder


def test_every_command_answers_as_the_page_says(followed: Path) -> None:
    written = {path.name for path in followed.iterdir() if path.is_file()}

    assert written >= {"defer-my-app.service", "Dockerfile", ".dockerignore", "compose.yaml", "kubernetes.yaml"}


def test_what_the_page_says_of_the_unit_is_in_it(followed: Path) -> None:
    unit = unit_of(followed / "defer-my-app.service")
    table = [line.split("`")[1] for line in TEXT.splitlines() if line.startswith("| `")]
    said = [setting.partition("=") for setting in table]

    assert len(said) == 7
    for name, _, value in said:
        assert not value or unit[name] == [value], name
    assert unit["EnvironmentFile"] == ["-/etc/defer/my-app.env"]
    assert unit["RestartPreventExitStatus"] == ["2 3"]


def test_the_commands_that_are_only_read_fit_the_files(followed: Path) -> None:
    image = {one.name: one for one in dockerfile_of(followed / "Dockerfile")}
    documents = documents_of(followed / "kubernetes.yaml")
    (container,) = documents["StatefulSet"]["spec"]["template"]["spec"]["containers"]
    stop = documents["StatefulSet"]["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    told = {" ".join(words[:2]): words for words in map(shlex.split, ELSEWHERE)}

    assert image["VOLUME"].rest == "/data"
    assert f"--stop-timeout {stop}" in " ".join(told["docker run"])
    secret = container["env"][0]["valueFrom"]["secretKeyRef"]
    assert told["kubectl create"][2:5] == ["secret", "generic", secret["name"]]
    assert f"--from-literal={secret['key']}=" in " ".join(told["kubectl create"])
    assert documents["Service"]["metadata"]["name"] == "my-app-runner"
    assert container["image"] == "registry.example.org/my-app:1"


def test_every_block_is_typed_or_read() -> None:
    known = {"docker build", "docker run", "export DEFER_TOKEN=", "docker compose", "kubectl create", "kubectl apply"}

    assert TEXT.count("```") == 2 * len(PAGE)
    assert {block.kind for block in PAGE} == {"console", ""}
    for line in ELSEWHERE:
        assert any(line.startswith(start) for start in known) or "/defer " in line or line.endswith("./defer run"), line
