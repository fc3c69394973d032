"""The Python functions that the scripts in JavaScript call."""

from __future__ import annotations

from pathlib import Path

from tests.process.harness import Project

_FUNCTIONS = {
    "echo": """
        @defer
        async def echo(*values: object) -> list[object]:
            return list(values)
        """,
    "compute_user": """
        @defer
        async def compute_user(id: int, options: dict[str, object] | None = None) -> dict[str, object]:
            return {"id": id, "name": "Zoë", "options": options}
        """,
    "return_nothing": """
        @defer
        async def return_nothing() -> None:
            pass
        """,
    "return_text": """
        @defer
        async def return_text() -> str:
            return ""
        """,
    "fail": """
        @defer(retry=False)
        async def fail(why: str) -> None:
            raise ValueError(why)
        """,
    "fail_once": """
        @defer(retry={"max_attempts": 3, "initial_interval": 1.6, "randomization_factor": 0})
        async def fail_once() -> int:
            if current_execution().attempt == 1:
                raise ValueError("not yet")
            return current_execution().attempt
        """,
    "fail_for_now": """
        @defer(retry={"max_attempts": 1, "initial_interval": 600})
        async def fail_for_now() -> None:
            raise ValueError("not yet")
        """,
    "fail_thrice": """
        @defer(retry={"max_attempts": 2, "initial_interval": 0.05, "randomization_factor": 0})
        async def fail_thrice() -> None:
            raise ValueError(f"attempt {current_execution().attempt}")
        """,
    "hold": """
        @defer
        async def hold() -> None:
            await asyncio.sleep(3600)
        """,
    "let_go_when_told": """
        @defer
        async def let_go_when_told(name: str) -> None:
            try:
                await asyncio.sleep(3600)
            finally:
                await until_noted(name)
        """,
    "weekly": """
        @defer.cron("0 8 * * MON")
        async def weekly() -> None:
            pass
        """,
}


def write_functions(root: Path) -> Project:
    """Return a project with all of them."""
    project = Project(root)
    project.write(**_FUNCTIONS)
    return project
