"""The files for containers: an image, and what runs it."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from defer_cli import __version__
from defer_cli.cli.exports.filling import filled
from defer_cli.cli.exports.subject import Subject
from defer_cli.domain.errors import SettingError
from defer_cli.domain.settings import is_loopback

WHEELS = "wheels"
_OURS = re.compile(r"^\s*defer[-_.]cli\b", re.IGNORECASE)
_DEPENDENCIES = (
    "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies'], sep='\\n')"
)
_ASK = "import http.client as h; c = h.HTTPConnection('127.0.0.1', {port}, timeout=4); c.request('GET', '/health'); "
_K8S_WORKERS = 2


def image(subject: Subject) -> dict[str, str]:
    """Return the files of the image by name."""
    port = _port(subject)
    probe = json.dumps(["python", "-c", f"{_ASK.format(port=port)}raise SystemExit(c.getresponse().status != 200)"])
    options = "--interval=10s --timeout=5s --start-period=60s --retries=3"
    words = {
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "install": "\n".join(_install(subject.project)),
        "expose": f"EXPOSE {port}",
        "healthcheck": f"HEALTHCHECK {options} \\\n    CMD {probe}",
        "stop_seconds": str(subject.stop_seconds),
        "command": json.dumps(_command(subject)),
        "ignored": _inside(subject),
    }
    return {"Dockerfile": filled("Dockerfile", words), ".dockerignore": filled("dockerignore", words)}


def compose(subject: Subject) -> dict[str, str]:
    """Return the files that `docker compose` needs, by name."""
    port = _port(subject)
    variables = _variables(subject, ["runner"])
    test = ["CMD", "python", "-c", f"{_ASK.format(port=port)}raise SystemExit(c.getresponse().status != 200)"]
    healthcheck = {"test": test, "interval": "10s", "timeout": "5s", "start_period": "60s", "retries": 3}
    words = {
        "slug": subject.slug,
        "command": json.dumps([_compose(word) for word in _command(subject)]),
        "environment": "\n".join(f"{name}: {_compose(json.dumps(value))}" for name, value in variables.items()),
        "healthcheck": "\n".join(
            ["healthcheck:", *(f"  {name}: {json.dumps(value)}" for name, value in healthcheck.items())]
        ),
        "stop_seconds": str(subject.stop_seconds),
    }
    return {"compose.yaml": filled("compose.yaml", words), **image(subject)}


def kubernetes(subject: Subject, *, named: str | None) -> dict[str, str]:
    """Return the files that `kubectl` needs, by name; ``named`` is the image."""
    port = _port(subject)
    service = f"{subject.slug}-runner"
    hosts = [service, *(f"{service}.$(NAMESPACE){end}" for end in ("", ".svc", ".svc.cluster.local"))]
    variables = _variables(subject, hosts, keeps="$(NAMESPACE)")
    alive = ["python", "-c", f"{_ASK.format(port=port)}c.getresponse()"]
    words = {
        "slug": subject.slug,
        "image": json.dumps(named or f"{subject.slug}:1"),
        "port": str(port),
        "command": json.dumps([_cluster(word) for word in _command(subject, workers=_K8S_WORKERS)]),
        "alive": json.dumps(alive),
        "environment": "\n".join(f"- name: {name}\n  value: {json.dumps(value)}" for name, value in variables.items()),
        "stop_seconds": str(subject.stop_seconds),
    }
    return {"kubernetes.yaml": filled("kubernetes.yaml", words), **image(subject)}


def _command(subject: Subject, *, workers: int | None = None) -> list[str]:
    host = subject.settings.host
    words = ["defer", "run", "--host", "0.0.0.0" if is_loopback(host) else host, "--grace", subject.grace]  # noqa: S104
    for name in ("directory", "port"):
        if subject.has_to_be_told(name, has_dotenv=False):
            words += [f"--{name}", subject.given[name][0]]
    if workers is not None and "workers" not in subject.given:  # one a core would be one for each of the machine's
        words += ["--workers", str(workers)]
    return [*words, *subject.flags(has_dotenv=False)]


def _variables(subject: Subject, hosts: Sequence[str], *, keeps: str = "") -> Mapping[str, str]:
    told = subject.variables(has_dotenv=False)
    others = [host for host in subject.settings.allowed_hosts if host not in hosts]
    if not keeps:
        return {**told, "DEFER_ALLOWED_HOSTS": ",".join([*hosts, *others])}
    return {**{name: _cluster(text) for name, text in told.items()}, "DEFER_ALLOWED_HOSTS": ",".join([*hosts, *others])}


def _compose(text: str) -> str:
    """Compose puts variables in for ``$NAME``."""
    return text.replace("$", "$$")


def _cluster(text: str) -> str:
    """Kubernetes puts variables in for ``$(NAME)``."""
    return text.replace("$(", "$$(")


def _port(subject: Subject) -> int:
    """Return the port of the API; a container without one could not be asked for its health, nor for anything."""
    if not subject.settings.port:
        source = subject.given["port"][1]
        raise SettingError(
            "a container is reached, and its health asked for, at a port", where=source, mend="give one: --port 3337"
        )
    return subject.settings.port


def _install(project: Path) -> list[str]:
    """Return the lines that install what the functions need, and defer."""
    lines = [f"COPY {WHEELS}/ /{WHEELS}/"]
    pip = f"pip install --no-cache-dir --find-links /{WHEELS}"
    requirements = project / "requirements.txt"
    if requirements.is_file():
        named = requirements.read_text(encoding="utf-8", errors="replace").splitlines()
        lines += ["COPY requirements.txt ./", f"RUN {pip} --requirement requirements.txt"]
    elif named := _dependencies(project):
        lines += [
            "COPY pyproject.toml ./",
            f'RUN python -c "{_DEPENDENCIES}" > requirements.txt \\',
            f"    && {pip} --requirement requirements.txt",
        ]
    else:
        return [*lines, f"RUN {pip} defer-cli=={__version__}"]
    if not any(map(_OURS.match, named)):
        lines[-1] += f" defer-cli=={__version__}"
    return lines


def _dependencies(project: Path) -> list[str]:
    found: Any = {}
    with suppress(OSError, tomllib.TOMLDecodeError):
        found = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8")).get("project", {})
    named = found.get("dependencies", []) if isinstance(found, dict) else []
    return [str(one) for one in named]


def _inside(subject: Subject) -> str:
    """Return the data folder where it lies in the project under a name of its own: it must not get into the image."""
    data = Path(subject.data.path)
    if not data.is_relative_to(subject.project) or data == subject.project:
        return ""
    inside = f"{data.relative_to(subject.project)}/"
    return "" if inside == ".defer/" else inside
