"""One request on its way through the writer, and what becomes of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

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
    """The fate of a request's events; `ids` by position, None where refused.

    Committed, unless `spooled`: then they are on this machine's disk, and duplicates are not known yet. `replay_of`
    is the id of the request that was answered so, when this one repeats it under an Idempotency-Key.
    """

    accepted: int
    duplicates: int
    rejections: list[Rejection]
    ids: list[str | None]
    spooled: bool = False
    replay_of: str = ""


class Keyed(NamedTuple):
    """A request with an Idempotency-Key: hashes of project and key (16 bytes), and of what was asked (32 bytes)."""

    key: bytes
    body: bytes


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
    keyed: Keyed | None = None
    spooled: bool = False  # answered 202 before: whatever is refused now must be kept
    companion: Companion | None = None
