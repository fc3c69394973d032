"""schemathesis over the document, against a live runner: no fault of ours, no status and no body it does not tell.

``DEFER_OPENAPI_EXAMPLES`` is how many requests are made up for each operation, where the usual few are not enough;
then the bounds of every field are gone through too, which takes minutes, and each run has a seed of its own.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.acceptance.command import living
from tests.process.openapi_run import TOKEN, Seeds, run, write_functions

pytestmark = [pytest.mark.slow, pytest.mark.process]
USUAL_EXAMPLES = 4
EXAMPLES = int(os.environ.get("DEFER_OPENAPI_EXAMPLES", USUAL_EXAMPLES))
IS_USUAL = EXAMPLES == USUAL_EXAMPLES
PHASES = "examples,fuzzing,stateful" if IS_USUAL else "examples,coverage,fuzzing,stateful"
HOW = "--seed 1 --generation-deterministic" if IS_USUAL else "--generation-database none"
LEAST = 150


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("project")
    write_functions(folder)
    (folder / "src" / "defer" / "__init__.py").touch()
    with living(
        folder, "run", "--port", "0", "--grace", "0s", ready="runner ready", env={"DEFER_TOKEN": TOKEN}
    ) as runner:
        found = re.search(r"url=(\S+)", runner.line_with("runner ready"))
        assert found is not None
        yield found[1]
        assert runner.process.poll() is None
        assert "Traceback" not in "\n".join(runner._lines)


@pytest.fixture(scope="module")
def seeds(url: str) -> Seeds:
    return Seeds(url)


@pytest.mark.timeout(120 if IS_USUAL else 1_800)
def test_what_the_document_says_of_requests_and_answers_is_so(url: str, seeds: Seeds, tmp_path: Path) -> None:
    made = run(tmp_path, url, seeds, "--phases", PHASES, "--max-examples", str(EXAMPLES), *HOW.split())

    print(f"{PHASES}: {made:,} requests")
    assert made >= LEAST
    assert httpx.get(f"{url}/health").status_code == 200
