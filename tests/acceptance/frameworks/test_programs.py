"""Calls from scripts and from IPython, with their ways of running an event loop."""

from __future__ import annotations

import pytest

from tests.acceptance.frameworks.serving import Site

pytestmark = pytest.mark.process
SCRIPT, UVLOOP_SCRIPT = SCRIPTS = "python src/script.py", "python src/uvloop_script.py"


def test_what_a_script_leaves_unawaited_is_sent_at_its_end(site: Site) -> None:
    site.with_runner()
    site.run(*SCRIPT.split(), "mia", "ned")

    site.until_letters("mia", "ned")


def test_a_script_needs_no_runner(site: Site) -> None:
    site.without_runner()
    site.run(*SCRIPT.split(), "olga", "pete")

    assert {b'["olga"]', b'["pete"]'} <= {call.arguments for call in site.in_inbox()}
    site.with_runner()
    site.until_letters("olga", "pete")


def test_a_script_under_uvloop_awaits_results(site: Site) -> None:
    site.with_runner()
    said = site.run(*UVLOOP_SCRIPT.split(), "quin", "rosa")

    assert said == "".join(f"Welcome, {name}!\nsucceed Welcome, {name}!\n" for name in ("quin", "rosa"))
    site.until_letters("quin", "rosa", "the last one")


CELLS = """
from defer.welcome import welcome
from defer_cli import await_result, get_execution, get_execution_result

call = welcome("sam")
print("called", (await get_execution(call.id)).id == call.id)
execution = await welcome("tess")
print("awaited", execution.state)
print("result", await await_result(welcome)("uma"))
print("twice", (await call).id == call.wait().id)
try: welcome("vic", {"since": object()})
except TypeError as error: print("refused", error)
"""
SAID = ["called True", "awaited created", "result Welcome, uma!", "twice True", "since: object is not JSON"]


NOTEBOOK = """
import asyncio, sys
from IPython.core.interactiveshell import InteractiveShell

async def main():
    shell = InteractiveShell(colors="nocolor")
    shell.history_manager.enabled = False
    for cell in sys.stdin.read().split("\\n\\n"):
        result = await shell.run_cell_async(cell, transformed_cell=shell.transform_cell(cell))
        result.raise_error()

asyncio.run(main())
"""


@pytest.mark.parametrize("how", ["at the prompt", "with -c", "as a notebook"])
def test_cells_of_ipython_call_and_await(site: Site, how: str) -> None:
    site.with_runner()
    ipython = ["ipython", "--quick", "--no-banner", "--colors=NoColor", "--HistoryManager.enabled=False"]
    if how == "with -c":
        said = site.run(*ipython, "-c", CELLS, folder="src")
    elif how == "at the prompt":
        said = site.run(*ipython, "--simple-prompt", says=CELLS, folder="src")
    else:
        said = site.run("python", "-c", NOTEBOOK, says=CELLS, folder="src")

    for text in SAID:
        assert text in said
