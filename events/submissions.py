"""One request on its way through the writer, and what becomes of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from events.errors import IngestError, InvalidEvent
from events.preparing import Prepared


@dataclass(frozen=True, slots=True)
class Rejection:
    """An event refused: where it stood in the request, what is wrong with it, and its bytes."""

    position: int
    id: str | None
    type: str
    error: InvalidEvent
    raw: bytes


@dataclass(frozen=True, slots=True)
class Verdicts:
    """The committed fate of a request's events; `ids` by position, None where refused."""

    accepted: int
    duplicates: int
    rejections: list[Rejection]
    ids: list[str | None]


# Writes rows of its own in the flush's transaction; runs again when the flush does. What it raises undoes the flush.
Companion = Callable[["psycopg.Cursor[tuple[Any, ...]]", Verdicts], None]


@dataclass(slots=True, eq=False)
class Submission:
    """A decoded request. `arrived` is monotonic seconds; `size` the bytes it holds while it waits.

    `frames` are the texts of all its events by position, so that one the database refuses can be kept.
    """

    project_id: int
    key_id: int | None
    request_id: str
    prepared: list[Prepared]
    rejections: list[Rejection]
    frames: Sequence[bytes]
    size: int
    arrived: float
    whole: bool  # on_error=reject: store all or nothing
    logged: bool  # its events may enter the log of the pipelines
    deliver: Callable[[Verdicts | IngestError], None]
    companion: Companion | None = None
