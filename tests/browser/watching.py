"""What no page may ever do: ask another origin for something, break its own policy, run what was stored, or fail."""

from __future__ import annotations

from playwright.async_api import BrowserContext, ConsoleMessage, Dialog, Request, Response, WebError

_NO_FAULTS = ("Failed to load resource", "The Cross-Origin-Opener-Policy header has been ignored")
"""What Chromium says of each answer of 400 and up (those that matter are seen as answers), and on plain http."""


class Watch:
    """Notes the faults of all pages of a context; ``origins`` are those they may talk to, ``expected`` is none."""

    def __init__(self, context: BrowserContext, *origins: str, expected: str | None = None) -> None:
        self.faults: list[str] = []
        self._no_faults = (*_NO_FAULTS, *filter(None, [expected]))
        self._origins = tuple(f"{origin}/" for origin in origins)
        context.on("request", self._request)
        context.on("response", self._response)
        context.on("console", self._console)
        context.on("dialog", self._dialog)
        context.on("weberror", self._error)

    def _request(self, request: Request) -> None:
        if not request.url.startswith(self._origins):
            self.faults.append(f"asks for {request.url}")

    def _response(self, response: Response) -> None:
        if response.status >= 400 and not response.request.is_navigation_request():
            self.faults.append(f"{response.status} for {response.url}")

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not any(one in message.text for one in self._no_faults):
            self.faults.append(f"{message.type}: {message.text}")

    async def _dialog(self, dialog: Dialog) -> None:
        self.faults.append(f"dialog: {dialog.message}")
        await dialog.dismiss()

    def _error(self, error: WebError) -> None:
        self.faults.append(f"script failed: {error.error}")
