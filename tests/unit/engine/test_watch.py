"""A step that holds up its worker is told of once, and the time it takes is not its neighbours'."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from defer_cli.engine.events import Note
from defer_cli.engine.watch import Watch, place
from defer_cli.workers.marks import Frame, Marks
from defer_cli.workers.process import Assigned
from defer_cli.workers.threads import ThreadState
from tests.unit.engine.harness import FakeListener, FakeWorker, running, spec

BETWEEN_STEPS = (0, 0)


class QuickLoop(asyncio.SelectorEventLoop):
    """Its clock jumps to the next timer instead of waiting for it."""

    def __init__(self) -> None:
        super().__init__()
        self._ahead = 0.0
        select = self._selector.select  # type: ignore[attr-defined]

        def jump(timeout: float | None) -> Any:
            self._ahead += timeout or 0.0
            return select(0)

        self._selector.select = jump  # type: ignore[attr-defined]

    def time(self) -> float:
        return self._ahead


class Scene:
    """A worker whose marks a test sets, and what is told of it."""

    def __init__(self) -> None:
        self.listener = FakeListener()
        self.state = ThreadState("S", 0.0)
        self.changes: list[str] = []
        self.watch = Watch(
            self.listener,
            on_blocked=lambda worker: self.changes.append("blocked"),
            on_unblocked=lambda worker: self.changes.append("unblocked"),
            main_thread=lambda pid: self.state,
        )
        self.worker = FakeWorker(1, lambda worker: None)
        self.worker.marks = self.marks = Marks.make()

    def begin(self, seq: int, *, span: float = 60.0) -> Assigned:
        deadline = asyncio.get_running_loop().time() + span
        assigned = Assigned(running(seq), spec(), self.worker, span=span, deadline=deadline)
        self.worker.assigned[seq] = assigned
        self.watch.begun([self.worker])
        return assigned

    def step(self, number: int, seq: int) -> None:
        self.marks.words[0], self.marks.words[1] = number, seq

    @property
    def told(self) -> list[tuple[str, str, object]]:
        notes = [event for event in self.listener.events if isinstance(event, Note)]
        return [(note.level, note.message, note.fields["id"]) for note in notes]


@pytest.fixture
def play() -> Callable[[Callable[[Scene], Coroutine[Any, Any, None]]], Scene]:
    def run(part: Callable[[Scene], Coroutine[Any, Any, None]]) -> Scene:
        async def main() -> Scene:
            scene = Scene()
            try:
                await part(scene)
            finally:
                scene.marks.close()
            return scene

        with asyncio.Runner(loop_factory=QuickLoop) as runner:
            return runner.run(main())

    return run


Play = Callable[[Callable[[Scene], Coroutine[Any, Any, None]]], Scene]
BLOCKED = ("warning", "event loop blocked", "id1")
GOES_ON = ("info", "event loop goes on", "id1")


def test_a_step_that_stands_is_told_of_once_and_so_is_its_end(play: Play) -> None:
    async def part(scene: Scene) -> None:
        scene.begin(1)
        scene.step(5, 1)
        await asyncio.sleep(30)
        scene.step(*BETWEEN_STEPS)
        await asyncio.sleep(30)

    scene = play(part)
    assert scene.told == [BLOCKED, GOES_ON]
    assert scene.changes == ["blocked", "unblocked"]


def test_it_is_told_of_within_a_second(play: Play) -> None:
    async def part(scene: Scene) -> None:
        scene.begin(2)
        await asyncio.sleep(5.05)
        scene.begin(1)
        scene.step(5, 1)
        await asyncio.sleep(1)

    assert play(part).told == [BLOCKED]


def test_many_short_steps_of_one_attempt_hold_up_nobody(play: Play) -> None:
    async def part(scene: Scene) -> None:
        scene.begin(1)
        for number in range(200):
            scene.step(number, 1)
            await asyncio.sleep(0.1)

    assert play(part).told == []


def test_a_process_that_is_stopped_is_not_blocked_until_it_goes_on(play: Play) -> None:
    async def part(scene: Scene) -> None:
        scene.begin(1)
        scene.step(5, 1)
        scene.state = ThreadState("T", 0.0)
        await asyncio.sleep(30)
        assert scene.told == []
        scene.state = ThreadState("S", 0.0)
        await asyncio.sleep(0.5)
        assert scene.told == []
        await asyncio.sleep(0.5)

    assert play(part).told == [BLOCKED]


def test_a_step_that_gets_no_time_on_the_cpu_is_not_to_blame(play: Play) -> None:
    async def part(scene: Scene) -> None:
        scene.begin(1)
        scene.step(5, 1)
        scene.state = ThreadState("R", 1.0)
        await asyncio.sleep(30)
        assert scene.told == []
        scene.state = ThreadState("R", 1.2)
        await asyncio.sleep(1)

    assert play(part).told == [BLOCKED]


def test_what_runs_nothing_is_not_looked_at(play: Play) -> None:
    async def part(scene: Scene) -> None:
        scene.begin(1)
        del scene.worker.assigned[1]
        await asyncio.sleep(1)
        assert scene.watch._timer is None

    play(part)


def test_time_in_which_a_neighbour_held_it_up_is_not_an_attempts_own(play: Play) -> None:
    async def part(scene: Scene) -> None:
        guilty, innocent = scene.begin(1, span=10), scene.begin(2, span=10)
        await asyncio.sleep(4)
        scene.step(5, 1)
        await asyncio.sleep(16)
        scene.step(*BETWEEN_STEPS)
        await asyncio.sleep(1)

        assert scene.watch.time_left(guilty) == pytest.approx(-11)
        assert scene.watch.time_left(innocent) == pytest.approx(5, abs=0.5)

    play(part)


def test_only_the_time_since_it_began_counts(play: Play) -> None:
    async def part(scene: Scene) -> None:
        scene.begin(1)
        scene.step(5, 1)
        await asyncio.sleep(10)
        late = scene.begin(2, span=10)
        await asyncio.sleep(10)
        scene.step(*BETWEEN_STEPS)
        await asyncio.sleep(1)

        assert scene.watch.time_left(late) == pytest.approx(9, abs=0.5)

    play(part)


def test_while_a_neighbour_holds_it_up_nothing_is_over_its_time(play: Play) -> None:
    async def part(scene: Scene) -> None:
        scene.begin(1)
        over = scene.begin(2, span=1)
        await asyncio.sleep(0.9)
        scene.step(5, 1)
        await asyncio.sleep(0.3)

        assert scene.told == []
        assert scene.watch.time_left(over) > 0

    play(part)


def test_what_a_stopped_process_was_at_gives_nobody_more_time(play: Play) -> None:
    async def part(scene: Scene) -> None:
        scene.begin(1)
        over = scene.begin(2, span=1)
        scene.step(5, 1)
        scene.state = ThreadState("T", 0.0)
        await asyncio.sleep(5)

        assert scene.watch.time_left(over) <= 0

    play(part)


def test_spells_that_no_attempt_has_seen_are_forgotten(play: Play) -> None:
    async def part(scene: Scene) -> None:
        for number in range(1, 20):
            scene.begin(1)
            scene.step(number, 1)
            await asyncio.sleep(2)
            scene.step(number, 0)
            await asyncio.sleep(1)

        assert len(scene.watch._sights[scene.worker].spells) == 1

    play(part)


def test_a_place_is_the_innermost_line_of_the_projects_own_code() -> None:
    library = asyncio.__file__
    stack = [Frame(library, 9), Frame("/p/src/a.py", 3), Frame("/p/src/b.py", 4)]

    assert place(stack, "/p") == "src/a.py:3"
    assert place(stack[:1], "/p") == f"{library}:9"
    assert place([], "/p") == "-"
