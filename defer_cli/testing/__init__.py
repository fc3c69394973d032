"""Testing background functions: a store of its own for each test, and calls that run when the test says so.

With pytest the fixture ``sandbox`` is there by itself; elsewhere ``with Sandbox() as sandbox`` does the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from defer_cli.testing.clock import Clock
    from defer_cli.testing.drained import Drained
    from defer_cli.testing.sandbox import Sandbox

__all__ = ["Clock", "Drained", "Sandbox"]


if not TYPE_CHECKING:  # with it, type checkers would accept any name

    def __getattr__(name: str) -> object:
        """Import a name when it is first asked for: pytest loads this package at every start."""
        homes = {"Clock": "clock", "Drained": "drained", "Sandbox": "sandbox"}
        if name not in homes:
            raise AttributeError(f"module 'defer_cli.testing' has no attribute {name!r}")
        from importlib import import_module

        value = globals()[name] = getattr(import_module(f"defer_cli.testing.{homes[name]}"), name)
        return value
