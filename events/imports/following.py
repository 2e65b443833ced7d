"""Watching an import to its end, and working on it meanwhile where no worker does."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from events.imports.models import ImportJob
from events.imports.running import run_import
from events.imports.selectors import progress_of

TURN_SECONDS: Final = 1.0
LOOK_SECONDS: Final = 0.5
LINE_EVERY_SECONDS: Final = 5.0

Show = Callable[[ImportJob], None]


def follow_import(job: ImportJob, show: Show) -> ImportJob:
    """Until it has ended; `show` is called about once a second. This process takes turns like any worker."""
    while not job.finished:
        if run_import(seconds=TURN_SECONDS, only=job.pk, using=job._state.db or "default") is None:
            time.sleep(LOOK_SECONDS)
        job.refresh_from_db()
        show(job)
    return job


def describe(job: ImportJob) -> str:
    """A line for people."""
    progress = progress_of(job)
    parts = [f"{job.state}", f"{job.rows:,} rows", f"{job.accepted:,} accepted"]
    parts += [f"{job.duplicates:,} duplicates"] if job.duplicates else []
    parts += [f"{job.rejected:,} refused"] if job.rejected else []
    parts += [f"{progress.rate:,.0f}/s"] if progress.rate else []
    return ", ".join(parts)


@contextmanager
def showing(console: Console) -> Iterator[Show]:
    """A bar on a terminal, a line every few seconds otherwise."""
    if not console.is_terminal:
        yield _lines(console)
        return
    columns = (
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("import", total=1.0, note="")
        yield lambda job: bar.update(task, completed=progress_of(job).share or 0.0, note=describe(job))


def _lines(console: Console) -> Show:
    said_at = time.monotonic()

    def show(job: ImportJob) -> None:
        nonlocal said_at
        if job.finished or time.monotonic() - said_at >= LINE_EVERY_SECONDS:
            said_at = time.monotonic()
            console.print(describe(job), highlight=False, soft_wrap=True)

    return show
