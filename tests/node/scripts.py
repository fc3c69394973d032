"""Scripts in JavaScript, and what became of each case in them."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.node.machine import HERE, NODE

CASES = HERE / "cases"
_CASE = re.compile(r'^  it\("(.+?)", ', re.MULTILINE)
_DEADLINE_SECONDS = 90


def named_cases() -> list[tuple[str, str]]:
    """Return every case: the script it is in, and its name."""
    return [(path.stem, name) for path in sorted(CASES.glob("*.mjs")) for name in _CASE.findall(path.read_text())]


@dataclass
class Scripts:
    """Runs a script once, when its first case is asked for."""

    environment: Mapping[str, str]
    folder: Path
    _told: dict[str, dict[str, str | None]] = field(default_factory=dict)

    def failure(self, script: str, case: str) -> str | None:
        """Return why a case failed, None when it passed."""
        if script not in self._told:
            self._told[script] = self._run(script)
        told = self._told[script]
        return told[case] if case in told else f"it was not run; these were: {list(told)}"

    def _run(self, script: str) -> dict[str, str | None]:
        """Return what became of each case."""
        report = self.folder / f"{script}.jsonl"
        done = subprocess.run(
            [
                NODE,
                f"--test-reporter={HERE / 'reporter.mjs'}",
                f"--test-reporter-destination={report}",
                str(CASES / f"{script}.mjs"),
            ],
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_DEADLINE_SECONDS,
        )
        told = [json.loads(line) for line in report.read_text().splitlines()] if report.exists() else []
        has_ended_well = done.returncode == 0 or not all(one["passed"] for one in told)
        said = f"{script} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        assert told, said
        assert has_ended_well, said
        assert not any(one["skipped"] for one in told)
        return {one["name"]: None if one["passed"] else one.get("error") or "it failed" for one in told}
