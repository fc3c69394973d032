"""Many processes that call at one moment wait for the runner; none is refused."""

from __future__ import annotations

import pytest

from defer_cli.domain.states import State
from tests.process.harness import Project, until

pytestmark = pytest.mark.process

_CALLERS = 200
_CROWD = f"""
    import os, time
    from defer.short import short

    at = time.time() + 1
    children = []
    for _ in range({_CALLERS}):
        child = os.fork()
        if child == 0:
            time.sleep(max(0, at - time.time()))
            try:
                short()
            except BaseException as error:
                os.write(1, (repr(error) + chr(10)).encode())
                os._exit(1)
            os._exit(0)
        children.append(child)
    print(sum(os.waitpid(child, 0)[1] != 0 for child in children))
"""


def test_a_crowd_of_callers_is_let_in(project: Project) -> None:
    project.write(short="@defer\nasync def short(): ...\n")
    with project.run("--workers", "1"):
        assert project.app(_CROWD).stdout == "0\n"
        until(lambda: project.counts().get(("short", State.SUCCEED)) == _CALLERS, "the end of every call")
