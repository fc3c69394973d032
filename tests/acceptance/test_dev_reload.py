"""What a save does while `defer dev` runs: to new calls, to running executions, to those that wait."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from defer_cli.domain.states import State
from tests.acceptance.developing import Dev, answering, dev, save_by_rename
from tests.process.harness import FAST, Project, until

pytestmark = [pytest.mark.process, pytest.mark.timeout(90)]

WAITING = """
    @defer({options})
    async def slow():
        note("{name} began")
        await until_noted("go")
        {end}
"""


@pytest.fixture
def dev_project(tmp_path: Path) -> Project:
    project = Project(tmp_path)
    answering(project, "greet", "old")
    return project


def test_the_first_call_after_a_good_save_is_answered_by_the_new_code(dev_project: Project) -> None:
    with dev(dev_project) as running:
        answering(dev_project, "greet", "new")
        line = running.next_line("changed greet.py → greet reloaded")

        assert running.result(dev_project, "greet") == "new", line


def test_a_save_while_it_starts_is_not_lost(dev_project: Project) -> None:
    dev_project.write(slow="import time\ntime.sleep(0.3)\n@defer\nasync def slow(): ...\n")
    starting = Dev(dev_project.command("dev", "--workers", "1"), dev_project.data)
    until(lambda: _is_importing(starting), "the inspector of the start runs")
    answering(dev_project, "greet", "new")
    starting.next_line("is ready")

    until(lambda: starting.result(dev_project, "greet") == "new", "the save is live")
    assert starting.stop() == 0


def test_a_save_in_a_folder_of_the_folder_is_live(dev_project: Project) -> None:
    below = dev_project.folder / "mail" / "late"
    below.mkdir(parents=True)
    source = "from defer_cli import defer\n@defer\nasync def send():\n    return {}\n"
    (below / "send.py").write_text(source.format(1))
    with dev(dev_project) as running:
        (below / "send.py").write_text(source.format(2))
        running.next_line("changed send.py → send reloaded")

        assert running.result(dev_project, "send") == 2


def test_a_save_of_a_module_beside_the_folder_is_live(dev_project: Project) -> None:
    lib = dev_project.root / "src" / "lib.py"
    lib.write_text("PRICE = 1\n")
    dev_project.write(price="from lib import PRICE\n@defer\nasync def price():\n    return PRICE\n")
    for file in dev_project.folder.iterdir():
        os.utime(file, (1e9, 1e9))
    with dev(dev_project) as running:
        for price in range(2, 6):  # as long as the one before, and saved in the same second
            lib.write_text(f"PRICE = {price}\n")
            running.next_line("changed lib.py")

            assert running.result(dev_project, "price") == price


def test_a_bad_save_shows_the_line_and_the_last_good_version_goes_on(dev_project: Project) -> None:
    with dev(dev_project) as running:
        dev_project.write(greet="@defer\nasync def greet():\n    return 1 +\n")
        running.next_line("error[DEF008]", "SyntaxError", "`return 1 +`")
        running.next_line("where: src/defer/greet.py:7")
        running.next_line("mend:")
        running.next_line("changed greet.py → greet on the last good version")

        assert running.result(dev_project, "greet") == "old"


def test_while_one_file_is_broken_the_others_go_live(dev_project: Project) -> None:
    answering(dev_project, "other", 1)
    with dev(dev_project) as running:
        dev_project.write(greet="1 / 0\n")
        running.next_line("changed greet.py")
        answering(dev_project, "other", 2)
        running.next_line("changed other.py → other reloaded")

        assert (running.result(dev_project, "greet"), running.result(dev_project, "other")) == ("old", 2)


def test_a_broken_module_beside_the_folder_breaks_no_function_that_runs(dev_project: Project) -> None:
    lib = dev_project.root / "src" / "lib.py"
    lib.write_text("PRICE = 1\n")
    dev_project.write(price="from lib import PRICE\n@defer\nasync def price():\n    return PRICE\n")
    with dev(dev_project) as running:
        lib.write_text("PRICE = 2\nraise RuntimeError('half done')\n")
        running.next_line("error[DEF008]", "because of src/lib.py:2: RuntimeError: half done")
        running.next_line("changed lib.py")
        assert running.result(dev_project, "price") == 1

        lib.write_text("PRICE = 3\n")
        running.next_line("changed lib.py")
        assert running.result(dev_project, "price") == 3


def test_what_runs_ends_on_the_code_and_the_options_it_began_with(dev_project: Project) -> None:
    dev_project.write(slow=WAITING.format(name="old", options="retry=False", end="raise ValueError('old')"))
    with dev(dev_project) as running, running.client() as client:
        id = client.call("slow")
        dev_project.until_noted("old began")
        dev_project.write(slow=WAITING.format(name="new", options=FAST, end="return 'new'"))
        running.next_line("changed slow.py → slow reloaded")
        dev_project.note("go")

        assert client.wait(id) == "failed"
        assert dev_project.error(id)["message"] == "old"
        assert running.result(dev_project, "slow") == "new"


def test_a_retry_runs_on_the_newest_code(dev_project: Project) -> None:
    dev_project.write(slow=WAITING.format(name="old", options=FAST, end="raise ValueError('old')"))
    with dev(dev_project) as running, running.client() as client:
        id = client.call("slow")
        dev_project.until_noted("old began")
        answering(dev_project, "slow", "new")
        running.next_line("changed slow.py → slow reloaded")
        dev_project.note("go")
        client.wait(id)

        assert (dev_project.outcomes(id), dev_project.result(id)) == (["retry", "succeed"], "new")


def test_a_new_file_is_a_new_function(dev_project: Project) -> None:
    with dev(dev_project) as running:
        answering(dev_project, "fresh", "here")
        running.next_line("changed fresh.py → fresh reloaded")

        assert running.result(dev_project, "fresh") == "here"


def test_calls_of_a_deleted_file_wait_until_it_is_back(dev_project: Project) -> None:
    with dev(dev_project) as running, running.client() as client:
        (dev_project.folder / "greet.py").unlink()
        running.next_line("changed greet.py → greet gone, its calls wait")
        id = client.call("greet")
        answering(dev_project, "other", 1)
        running.next_line("changed other.py → other reloaded")
        assert running.result(dev_project, "other") == 1
        assert dev_project.get(id).state is State.CREATED

        answering(dev_project, "greet", "back")
        client.wait(id)
        assert dev_project.result(id) == "back"


def test_a_renamed_function_answers_to_its_new_name_only(dev_project: Project) -> None:
    with dev(dev_project) as running, running.client() as client:
        (dev_project.folder / "greet.py").unlink()
        answering(dev_project, "welcome", "new")
        running.next_line("changed", "welcome reloaded")

        assert running.result(dev_project, "welcome") == "new"
        assert dev_project.get(client.call("greet")).state is State.CREATED


def test_of_several_quick_saves_the_newest_wins(dev_project: Project) -> None:
    with dev(dev_project) as running:
        for number in range(20):
            answering(dev_project, "greet", number)

        until(lambda: running.result(dev_project, "greet") == 19, "the newest version is live")


def test_saves_during_a_reload_are_not_lost(dev_project: Project) -> None:
    with dev(dev_project) as running:
        dev_project.write(greet="import time\ntime.sleep(0.2)\n@defer\nasync def greet():\n    return 'slow'\n")
        until(lambda: _is_importing(running), "the inspector of the reload runs")
        answering(dev_project, "greet", "newest")

        until(lambda: running.result(dev_project, "greet") == "newest", "the newest version is live")


def test_a_save_by_rename_is_live(dev_project: Project) -> None:
    with dev(dev_project) as running:
        source = (dev_project.folder / "greet.py").read_text()
        save_by_rename(dev_project.folder / "greet.py", source.replace("old", "new"))
        running.next_line("greet reloaded")

        assert running.result(dev_project, "greet") == "new"


def test_a_save_in_two_steps_is_live(dev_project: Project) -> None:
    path = dev_project.folder / "greet.py"
    source = path.read_text().replace("old", "new")
    with dev(dev_project) as running:
        path.write_text("")
        running.next_line("error[DEF001]")  # the editor is so slow that the empty file is seen
        assert running.result(dev_project, "greet") == "old"

        with path.open("a") as file:
            file.write(source[:60])
            file.flush()
            os.fsync(file.fileno())
            file.write(source[60:])
        until(lambda: running.result(dev_project, "greet") == "new", "the whole file is live")


def _is_importing(running: Dev) -> bool:
    children = Path(f"/proc/{running.pid}/task/{running.pid}/children")
    threads = children.parent.parent.glob("*/children")
    pids = [pid for thread in threads for pid in thread.read_text().split()]
    return any(b"inspector" in _command_of(pid) for pid in pids)


def _command_of(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
