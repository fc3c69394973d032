"""`defer export`: what it writes is right in the eyes of systemd, hadolint and Kubernetes, and says what was set."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from defer_cli.cli.exports import systemd
from defer_cli.cli.exports.subject import Subject, find_subject
from defer_cli.link.project import DataFolder
from tests.acceptance.command import defer
from tests.acceptance.exporting import compose_of, dockerfile_of, documents_of, unit_of, words_of

BIN = Path(sys.executable).parent
SYSTEMD, DOCKER, COMPOSE, KUBERNETES = "systemd", "docker", "compose", "kubernetes"
ALL = (SYSTEMD, DOCKER, COMPOSE, KUBERNETES)
PORT = {"DEFER_PORT": "3337"}


def export(project: Path, what: str, *options: str, env: dict[str, str] | None = None) -> str:
    """Run `defer export` where nothing else sets a port; return what it says."""
    answer = defer(project, "export", what, *options, env={**PORT, **(env or {})})
    assert answer.code == 0, answer.err
    return answer.out + answer.err


def passes(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr + done.stdout) == (0, done.stdout), done.stderr + done.stdout
    return done.stdout


@pytest.fixture
def shop(project: Path) -> Path:
    (project / "pyproject.toml").write_text('[project]\nname = "Shop & Co"\n\n[tool.defer]\ngrace = "1m"\n')
    return project


def test_systemd_finds_nothing_wrong_with_the_unit(shop: Path) -> None:
    said = export(shop, SYSTEMD, "--user", "daemon")
    passes("systemd-analyze", "verify", str(shop / "defer-shop-co.service"))

    (score,) = [line for line in said.splitlines() if "exposure" in line]
    print(score)
    assert float(score.split()[-2]) < 2.5
    assert score.endswith("OK")


def test_the_unit_says_what_the_project_says(shop: Path) -> None:
    export(shop, SYSTEMD, "--user", "daemon", "--workers", "3")
    unit = unit_of(shop / "defer-shop-co.service")

    (command,) = unit["ExecStart"]
    assert words_of(command) == [str(BIN / "defer"), "run", "--grace", "60s", "--workers", "3", "--port", "3337"]
    assert unit["WorkingDirectory"] == [str(shop)]
    assert unit["ReadWritePaths"] == [str(shop / ".defer")]
    assert unit["TimeoutStopSec"] == ["80"]
    assert unit["Restart"] + unit["RestartPreventExitStatus"] == ["on-failure", "2 3"]
    assert unit["KillMode"] == ["mixed"]
    assert unit["User"] == ["daemon"]


def test_words_that_mean_something_to_systemd_stay_words(tmp_path: Path, project: Path) -> None:
    odd = tmp_path / "50% of $HOME; 'a' \"b\" \\c"
    (odd / "src").mkdir(parents=True)
    shutil.copytree(project / "src" / "defer", odd / "src" / "defer")
    export(odd, SYSTEMD, "--user", "daemon", "--data", str(odd / "my data"), "--writable", "out box")
    (written,) = odd.glob("*.service")
    passes("systemd-analyze", "verify", str(written))
    unit = unit_of(written)

    assert str(odd / "my data") in words_of(unit["ExecStart"][0])
    assert words_of(unit["ReadWritePaths"][0]) == [str(odd / one) for one in ("my data", ".defer", "out box")]


@pytest.mark.parametrize(
    ("place", "hides"), [("/srv", ("yes", "yes")), ("/home", ("read-only", "yes")), ("/tmp", ("yes", "no"))]
)
def test_what_the_unit_hides_is_not_what_it_needs(
    shop: Path, place: str, hides: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(systemd, "this_command", lambda: ["/opt/venv/bin/defer"])

    unit = systemd.unit(_subject(shop, Path(place) / "app"), user="daemon", writable=[])

    assert f"ProtectHome={hides[0]}\n" in unit
    assert f"PrivateTmp={hides[1]}\n" in unit


def _subject(shop: Path, folder: Path) -> Subject:
    found = find_subject(str(shop), None, None)
    return replace(found, project=folder, data=DataFolder(str(folder / ".defer")))


@pytest.mark.parametrize(
    ("files", "installs"),
    [
        ({}, "defer-cli=="),
        ({"requirements.txt": "httpx\n"}, "--requirement requirements.txt defer-cli=="),
        ({"requirements.txt": "defer_cli>=0.1\n"}, "--requirement requirements.txt"),
        ({"pyproject.toml": '[project]\nname = "a"\ndependencies = ["defer-cli"]\n'}, "['project']['dependencies']"),
    ],
    ids=["nothing", "requirements", "requirements-with-defer", "pyproject"],
)
def test_hadolint_finds_nothing_wrong_with_the_dockerfile(project: Path, files: dict[str, str], installs: str) -> None:
    for name, content in files.items():
        (project / name).write_text(content)
    export(project, DOCKER)

    assert passes(str(BIN / "hadolint"), str(project / "Dockerfile")) == ""
    assert installs in (project / "Dockerfile").read_text()
    assert f"FROM python:3.{sys.version_info.minor}-slim" in (project / "Dockerfile").read_text()


def test_the_image_is_nobodys_root_and_knows_how_it_is(shop: Path) -> None:
    export(shop, DOCKER)
    instructions = list(dockerfile_of(shop / "Dockerfile"))
    by_name = {one.name: one for one in instructions}

    assert by_name["USER"].rest == "10001:10001"
    assert by_name["STOPSIGNAL"].rest == "SIGTERM"
    assert by_name["CMD"].words == ["defer", "run", "--host", "0.0.0.0", "--grace", "60s", "--port", "3337"]
    assert by_name["HEALTHCHECK"].words[0] == "python"
    assert ".env" in (shop / ".dockerignore").read_text().splitlines()


def test_a_data_folder_in_the_project_stays_out_of_the_image(shop: Path) -> None:
    export(shop, DOCKER, "--data", str(shop / "var" / "state"))

    assert "var/state/" in (shop / ".dockerignore").read_text().splitlines()


def test_compose_gives_a_stop_its_time_and_the_data_a_volume(shop: Path) -> None:
    export(shop, COMPOSE, "--log-format", "json", env={"DEFER_ALLOWED_HOSTS": "jobs.example.org", "DEFER_MASK": "a$b"})
    compose = compose_of(shop / "compose.yaml", {"DEFER_TOKEN": "t0"})
    runner = compose["services"]["runner"]

    assert runner["stop_grace_period"] == "80s"
    assert runner["command"][-2:] == ["--log-format", "json"]
    assert runner["environment"] == {
        "DEFER_TOKEN": "t0",
        "DEFER_DATA": "/data",
        "DEFER_ALLOWED_HOSTS": "runner,jobs.example.org",
        "DEFER_MASK": "a$b",
    }
    assert runner["volumes"] == [f"{name}:/data" for name in compose["volumes"]]
    assert (shop / "Dockerfile").exists()


def test_kubernetes_would_take_the_file(shop: Path) -> None:
    export(shop, KUBERNETES, "--image", "registry.example.org/shop:7")
    passes(str(BIN / "kubernetes-validate"), "--strict", "--quiet", str(shop / "kubernetes.yaml"))
    documents = documents_of(shop / "kubernetes.yaml")
    pod = documents["StatefulSet"]["spec"]["template"]["spec"]
    (runner,) = pod["containers"]

    assert documents["StatefulSet"]["spec"]["replicas"] == 1
    assert pod["terminationGracePeriodSeconds"] == 80
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert runner["image"] == "registry.example.org/shop:7"
    assert runner["readinessProbe"]["httpGet"] == {"path": "/health", "port": "http"}
    assert runner["command"][-2:] == ["--workers", "2"]
    assert "token" not in str([one for one in runner["env"] if "value" in one]).lower()
    assert documents["Service"]["spec"]["selector"] == documents["StatefulSet"]["spec"]["selector"]["matchLabels"]


@pytest.mark.parametrize("what", ALL)
def test_nothing_is_overwritten(shop: Path, what: str) -> None:
    export(shop, what)
    before = {path: path.read_bytes() for path in shop.rglob("*") if path.is_file()}

    assert "left " in export(shop, what, "--grace", "5s")
    assert {path: path.read_bytes() for path in shop.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("what", ALL)
def test_printed_it_is_data_and_nothing_is_written(shop: Path, what: str) -> None:
    before = sorted(shop.rglob("*"))
    answer = defer(shop, "export", what, "--print", env=PORT)

    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith("# Made by `defer export ")
    assert sorted(shop.rglob("*")) == before


def test_another_folder_gets_the_files(shop: Path, tmp_path: Path) -> None:
    export(shop, COMPOSE, "--output", str(tmp_path / "deploy" / "new"))

    assert sorted(os.listdir(tmp_path / "deploy" / "new")) == [".dockerignore", "Dockerfile", "compose.yaml"]


def test_a_host_that_needs_a_token_needs_it_only_where_it_runs(shop: Path) -> None:
    said = export(shop, SYSTEMD, "--host", "0.0.0.0", "--print")

    assert "--host 0.0.0.0" in said
    assert "DEFER_TOKEN=" not in said


def test_a_token_is_never_written(shop: Path) -> None:
    for what in ALL:
        assert "very-secret" not in export(shop, what, "--print", env={"DEFER_TOKEN": "very-secret"})


@pytest.mark.parametrize(
    ("words", "code", "problem"),
    [
        (["docker", "--port", "off"], 2, "a container is reached, and its health asked for, at a port"),
        (["nomad"], 2, "nothing is exported for nomad"),
        (["systemd", "--grace", "soon"], 2, "soon"),
        ([], 2, "missing argument"),
    ],
    ids=["no-port", "unknown", "wrong-setting", "nothing"],
)
def test_what_cannot_be_exported_is_told(shop: Path, words: list[str], code: int, problem: str) -> None:
    answer = defer(shop, "export", *words, env=PORT)

    assert answer.code == code
    assert problem in answer.err.lower()
    assert not list(shop.glob("*.service"))
