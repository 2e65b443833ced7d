"""Progress of a long command: a bar on a terminal with rich, plain lines otherwise."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from streamgauge.cli.outcomes import say

Advance = Callable[[int], None]
LINE_EVERY_SECONDS = 5.0


@contextmanager
def progress(title: str, total: int) -> Iterator[Advance]:
    """Gives a function that is told how many of `total` bytes are done."""
    if sys.stderr.isatty():
        try:
            from rich.console import Console
            from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
        except ImportError:
            yield _lines(title, total)
            return
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task(title, total=total)
            yield lambda done: bar.update(task, completed=done)
        return
    yield _lines(title, total)


def _lines(title: str, total: int) -> Advance:
    next_at = time.monotonic() + LINE_EVERY_SECONDS

    def advance(done: int) -> None:
        nonlocal next_at
        if time.monotonic() >= next_at:
            next_at = time.monotonic() + LINE_EVERY_SECONDS
            say(f"{title}: {done * 100 // max(total, 1)} %")

    return advance
