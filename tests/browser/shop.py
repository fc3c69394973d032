"""A shop to take pictures of: the sample app on its real data, some functions beside its own, and a day behind it."""

from __future__ import annotations

import random
import shutil
import sqlite3
import textwrap
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

from defer_cli.domain.history import HOUR_US, bucket_of
from defer_cli.domain.states import State
from tests.browser.consoles import Console, serving
from tests.process.harness import Project, until
from tests.sample_app.postbox import Postbox, listening

_APP = Path(__file__).resolve().parents[2] / "sample_app"
_CALLS_BY_HOUR = (14, 9, 7, 5, 4, 6, 11, 22, 46, 71, 83, 92, 97, 88, 79, 84, 90, 75, 61, 52, 43, 37, 28, 21)
"""How many calls came in each of the last 24 hours, the oldest first."""
_MANY = 4
_OTHERS = {
    "charge_card": """
        @defer(retry={"max_attempts": 1, "initial_interval": 2}, concurrency=10)
        async def charge_card(order: int, amount: float, card_token: str = "tok_4242") -> dict[str, object]:
            \"\"\"Charge an order to the card that its customer left.\"\"\"
            print(f"charging order {order}: {amount:.2f} EUR")
            await asyncio.sleep(0.02 + order % 7 / 60)
            if order % 23 == 0:
                raise PaymentRefused(f"order {order}: the bank refused the card (insufficient funds)")
            return {"order": order, "charged": amount, "receipt": f"R-{order:06d}"}


        class PaymentRefused(Exception):
            pass
    """,
    "resize_image": """
        @defer
        async def resize_image(path: str, width: int = 1200) -> str:
            \"\"\"Write a smaller copy of a picture, for the web.\"\"\"
            await asyncio.sleep(0.01 + len(path) % 5 / 100)
            print(f"{path}: {width} pixels wide")
            return f"{path}-{width}.webp"
    """,
    "import_orders": """
        @defer.cron("0 6,18 * * *")
        async def import_orders() -> int:
            \"\"\"Fetch what the marketplaces have sold since the last time.\"\"\"
            await asyncio.sleep(0.3)
            return 12
    """,
    "close_the_books": """
        @defer.cron("0 3 1 * *", max_duration="2 h")
        async def close_the_books() -> None:
            \"\"\"Sum up the month.\"\"\"
    """,
    "sync_stock": """
        @defer(retry={"initial_interval": 3600})
        async def sync_stock(warehouse: str) -> None:
            \"\"\"Take over what a warehouse has counted.\"\"\"
            print(f"asking {warehouse} for its count")
            raise ConnectionError(f"{warehouse} did not answer within 10 s")
    """,
    "export_report": """
        @defer(concurrency=2)
        async def export_report(month: str, rows: int = 40) -> str:
            \"\"\"Write the report of a month as a spreadsheet.\"\"\"
            print(f"reading the orders of {month}")
            for row in range(rows):
                await asyncio.sleep(0.5)
                print(f"customers {row * 250:,} to {row * 250 + 249:,} written")
            return f"reports/{month}.xlsx"
    """,
}


class _Strict(Postbox):
    """A mail server that does not take some addresses."""

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address.partition("@")[0].endswith("13"):
            return "550 5.1.1 no such mailbox"
        return await super().handle_RCPT(server, session, envelope, address, options)


@contextmanager
def shop(root: Path) -> Iterator[Console]:
    """Give the console of the shop, with a day of executions behind it and the weekly cron under way."""
    project = Project(root)
    shutil.copytree(_APP / "src", root / "src", dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(_APP / "data", root / "data")
    shutil.copy(_APP / "pyproject.toml", root)
    compute = project.folder / "compute_product_recommendation.py"
    compute.write_text(
        compute.read_text().replace(
            "concurrency=20", 'concurrency=20, retry={"max_attempts": 1, "initial_interval": 1}'
        )
    )
    for name, source in _OTHERS.items():
        text = f"import asyncio\n\nfrom defer_cli import defer\n\n\n{textwrap.dedent(source).strip()}\n"
        (project.folder / f"{name}.py").write_text(text)
    try:
        with listening(_Strict()) as port:
            project.runner_environment = {"SMTP_URL": f"smtp://127.0.0.1:{port}"}
            with serving(project, "--workers", "2") as console:
                hours = list(_a_day(console))
                until(lambda: not project.in_state(State.CREATED, State.STARTED), "all has run", seconds=120)
                assert console.runner.stop() == 0
            _age(project.data / "defer.db", hours)
            with serving(project, "--workers", "2") as console:
                yield console
    finally:
        project.end()


def _a_day(console: Console) -> Iterator[list[str]]:
    """Make the calls of a day, and yield the ids of each hour."""
    random.seed(5)
    order = 4_000
    for hour, count in enumerate(_CALLS_BY_HOUR):
        ids = []
        for _ in range(count // _MANY):
            order += 1
            ids.append(console.call("charge_card", order, order % 90 + 9.95, metadata={"order": str(order)}))
            ids.append(console.call("resize_image", f"products/{order}.jpg"))
            ids.append(console.call("compute_product_recommendation", random.randrange(1, 900)))
        if hour % 12 == 7:
            ids.append(console.call("import_orders"))
        yield ids


def _age(path: Path, hours: Sequence[Sequence[str]]) -> None:
    """Move what has run into the past, an hour's calls to its hour; each took as long as it took."""
    now = time.time_ns() // 1_000
    with closing(sqlite3.connect(path)) as database, database:
        for ago, ids in enumerate(reversed(hours)):
            for place, id in enumerate(ids):
                (seq, finished) = database.execute(
                    "SELECT seq, finished_us FROM executions WHERE id = ?", (id,)
                ).fetchone()
                by = finished - (now - ago * HOUR_US - HOUR_US * place // len(ids))
                for table, columns in _MOMENTS.items():
                    moved = ", ".join(f"{column} = {column} - {by}" for column in columns)
                    database.execute(f"UPDATE {table} SET {moved} WHERE seq = ?", (seq,))
        database.execute("DELETE FROM history")
        ended = "SELECT function, state, started_us, finished_us FROM executions WHERE finished_us IS NOT NULL"
        for function, state, started, finished in database.execute(ended).fetchall():
            for name in ("", function):
                database.execute(
                    "INSERT INTO history VALUES (?, ?, ?, ?, 1) ON CONFLICT DO UPDATE SET count = count + 1",
                    (name, finished // HOUR_US, state, bucket_of(finished - started)),
                )
        spans = [f"{name}_min = 0, {name}_max = {1 << 62}" for name in ("due", "later", "started")]
        database.execute(f"UPDATE blocks SET {', '.join(spans)}")


_ENDED = "SELECT seq, finished_us FROM executions WHERE id = ?"
_MOMENTS = {
    "executions": ("created_us", "scheduled_us", "updated_us", "started_us", "finished_us"),
    "attempts": ("started_us", "finished_us", "scheduled_us"),
}
