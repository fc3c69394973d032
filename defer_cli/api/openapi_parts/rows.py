"""All rows of the document, in the order in which it tells them."""

from __future__ import annotations

from defer_cli.api.openapi_parts import executions, legacy, lists, runner

ROWS = (*executions.ROWS, *lists.ROWS, *runner.ROWS, *legacy.ROWS)
