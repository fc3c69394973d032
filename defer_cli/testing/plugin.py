"""The pytest plugin: one fixture. It is loaded at every start of pytest, so it imports nothing before it is used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from defer_cli.testing.sandbox import Sandbox


@pytest.fixture
def sandbox(pytestconfig: pytest.Config) -> Iterator[Sandbox]:
    """Calls of background functions go to a store of this test's own; ``await sandbox.drain()`` runs them."""
    from defer_cli.testing.sandbox import Sandbox

    with Sandbox(project=pytestconfig.rootpath) as sandbox:
        yield sandbox
