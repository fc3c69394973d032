"""What a store can tell and do about itself: who owns it, whether it is whole, what it has written ahead."""

from __future__ import annotations

from typing import Protocol


class Health(Protocol):
    """A part of ``Store``."""

    def start_runner(self, *, name: str, pid: int, version: str) -> None:
        """Record that this runner owns the store."""

    def stop_runner(self, *, name: str) -> None:
        """Record that it stopped in good order."""

    def touch(self) -> None:
        """Write something small that nobody reads, to find out whether the store takes what it is given."""

    def make_room(self) -> None:
        """Give up the room that is kept for a full disk: from now on new work is refused, all else is written."""

    def keep_room(self) -> bool:
        """Keep it again and take new work; return False while the disk has not enough of it."""

    def stopped_cleanly(self) -> bool:
        """Return whether the last runner stopped in good order, or there was none."""

    def quick_check(self) -> None:
        """Raise ``StoreError`` when the database is damaged; takes time with its size."""

    def wait_for_disk(self) -> None:
        """Return once what readers have seen so far is on disk; any thread may call."""

    def checkpoint_is_due(self) -> bool:
        """Return whether enough was written ahead to be folded into the database."""

    def checkpoint(self) -> None:
        """Fold what was written ahead into the database, without waiting for readers."""

    def close(self) -> None:
        """Close the store; raise ``StoreError`` when what was written ahead could not be folded, and stays there."""

    def abandon(self) -> None:
        """Close the store after a fatal error: leave the files as they are, for the next start to recover."""
