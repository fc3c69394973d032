"""`python -m defer_cli` is the command `defer`."""

from __future__ import annotations

from defer_cli.cli.__main__ import main

main()
