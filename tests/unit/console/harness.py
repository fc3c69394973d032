"""The console over ASGI, before the parts of a runner on a real store; executions are moved by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from defer_cli.console.app import build_console
from defer_cli.domain.function import FunctionSpec
from defer_cli.web.tokens import Token
from tests.unit.api.harness import FUNCTIONS, Api


class Console(Api):
    """A browser without scripts, and the hand that moves executions."""

    def __init__(
        self, folder: Path, functions: Sequence[FunctionSpec] = FUNCTIONS, *, token: str | None = None
    ) -> None:
        super().__init__(folder, functions)
        self.app = build_console(self.backend, token=None if token is None else Token(token), mask=())
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        self.browser = httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1")

    async def close(self) -> None:
        await self.browser.aclose()
        await super().close()

    async def page(self, path: str, status: int = 200) -> str:
        """Return the page at a path."""
        answer = await self.browser.get(path)
        assert answer.status_code == status, answer.text
        return answer.text

    async def submit(self, path: str, *pairs: tuple[str, str], **fields: str) -> httpx.Response:
        """Send a form; return the answer, which is not followed."""
        data: dict[str, Any] = {}
        for name, value in (*pairs, *fields.items()):
            data.setdefault(name, []).append(value)
        return await self.browser.post(path, data=data)
