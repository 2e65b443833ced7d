"""How a replay shows where it is: a bar on a terminal, a plain line every few seconds otherwise."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from events.replay import Tally

LINE_EVERY_SECONDS = 5.0


class Report(Protocol):
    """What the sender tells while it works."""

    def advance(self, tally: Tally) -> None: ...
    def waiting(self, reason: str) -> None: ...
    def finish(self, tally: Tally) -> None: ...


def describe(tally: Tally, seconds: float) -> str:
    parts = [f"{tally.answered:,} flights", f"{tally.accepted:,} accepted"]
    parts += [f"{tally.duplicates:,} duplicates"] if tally.duplicates else []
    parts += [f"{tally.rejected:,} refused"] if tally.rejected else []
    parts += [f"{tally.retries:,} retries"] if tally.retries else []
    return ", ".join([*parts, f"{tally.answered / max(seconds, 0.001):,.0f}/s"])


class Lines:
    """For logs and pipes."""

    def __init__(self) -> None:
        self._started = self._said = time.monotonic()

    def advance(self, tally: Tally) -> None:
        if time.monotonic() - self._said >= LINE_EVERY_SECONDS:
            self._said = time.monotonic()
            self.finish(tally)

    def waiting(self, reason: str) -> None:
        sys.stderr.write(f"waiting: {reason}\n")
        sys.stderr.flush()

    def finish(self, tally: Tally) -> None:
        sys.stdout.write(f"{describe(tally, time.monotonic() - self._started)}\n")
        sys.stdout.flush()


class Bar:
    """For people."""

    def __init__(self, bar: Progress, total: int | None) -> None:
        self._bar = bar
        self._started = time.monotonic()
        self._task = bar.add_task("flights", total=total, note="")

    def advance(self, tally: Tally) -> None:
        note = describe(tally, time.monotonic() - self._started)
        self._bar.update(self._task, completed=tally.answered, note=note)

    def waiting(self, reason: str) -> None:
        self._bar.update(self._task, note=f"waiting: {reason}")

    def finish(self, tally: Tally) -> None:
        self.advance(tally)


@contextmanager
def progress(total: int | None) -> Iterator[Report]:
    """A report that suits standard output; `total` is None when there is no end."""
    console = Console()
    if not console.is_terminal:
        yield Lines()
        return
    columns = (
        SpinnerColumn(),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console) as bar:
        yield Bar(bar, total)
