"""What attempts print is told apart, shown early, and cut into frames like large results and errors."""

from __future__ import annotations

import asyncio
import sys

import pytest

from defer_cli.link.frames import LARGEST_FRAME, Logs, Outcomes
from defer_cli.workers import logs
from tests.unit.workers.harness import Bench


def catch_output(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the streams of a worker in place; pytest sets its own after fixtures have run."""
    monkeypatch.setattr(sys, "stdout", logs.ContextStream("stdout", sys.stdout))
    monkeypatch.setattr(sys, "stderr", logs.ContextStream("stderr", sys.stderr))


async def test_output_of_a_hundred_interleaved_attempts_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    catch_output(monkeypatch)

    async def speak(number: int) -> None:
        for step in range(5):
            print(f"{number}-{step}")
            await asyncio.sleep(0)
        await asyncio.to_thread(print, f"in {number}")
        print("last", end="")

    bench = Bench(speak)
    bench.start(*(b"[%d]" % number for number in range(1, 101)))
    for seq in range(1, 101):
        await bench.outcome(seq)
    await bench.pipe.until(lambda: all(bench.pipe.lines(seq) for seq in range(1, 101)))

    for seq in range(1, 101):
        spoken = [f"{seq}-{step}" for step in range(5)]
        assert bench.pipe.lines(seq) == [("stdout", text) for text in [*spoken, f"in {seq}", "last"]]


async def test_what_is_printed_shows_before_the_attempt_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    catch_output(monkeypatch)

    go = asyncio.Event()

    async def speak() -> None:
        print("early")
        await go.wait()

    bench = Bench(speak)
    bench.start(b"[]")
    await bench.pipe.until(lambda: bool(bench.pipe.lines()))
    go.set()
    await bench.outcome()

    assert bench.pipe.lines() == [("stdout", "early")]


async def test_large_results_are_cut_into_frames() -> None:
    async def large() -> str:
        return "x" * 1_000_000

    bench = Bench(large)
    bench.start(*[b"[]"] * 12)
    for seq in range(1, 13):
        await bench.outcome(seq)

    assert max(bench.pipe.sizes) <= LARGEST_FRAME


async def test_large_errors_are_cut_into_frames() -> None:
    async def large() -> None:
        raise ValueError("🙂" * 1_000_000)

    bench = Bench(large)
    bench.start(*[b"[]"] * 60)
    for seq in range(1, 61):
        await bench.outcome(seq)

    assert max(bench.pipe.sizes) <= LARGEST_FRAME


@pytest.mark.parametrize("letter", ["x", "🙂", "\udc80"], ids=["ascii", "four bytes", "surrogate"])
async def test_large_logs_are_cut_into_frames(letter: str, monkeypatch: pytest.MonkeyPatch) -> None:
    catch_output(monkeypatch)

    async def flood() -> None:
        for _ in range(10_000):
            print(letter * 120)

    bench = Bench(flood)
    bench.start(*[b"[]"] * 5)
    for seq in range(1, 6):
        await bench.outcome(seq)
    await bench.pipe.until(lambda: all(bench.pipe.lines(seq) for seq in range(1, 6)))

    assert max(bench.pipe.sizes) <= LARGEST_FRAME


async def test_what_was_printed_is_sent_before_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    catch_output(monkeypatch)

    async def speak() -> None:
        print("said")

    bench = Bench(speak)
    bench.start(*[b"[]"] * 3)
    for seq in range(1, 4):
        await bench.outcome(seq)

    assert [type(frame) for frame in bench.pipe.frames] == [Logs, Outcomes]
    assert all(bench.pipe.lines(seq) == [("stdout", "said")] for seq in range(1, 4))
