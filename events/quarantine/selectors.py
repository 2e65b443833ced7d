"""Reads of the quarantine."""

import base64
import binascii
import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import starmap
from typing import Final
from uuid import UUID

from events.quarantine.errors import NotThere
from events.quarantine.rows import STALE, Detailed, Group, Listed, Selection, Waiting
from events.queries import fetch, query

PAGE: Final = 50
LARGEST_PAGE: Final = 200
MOST_GROUPS: Final = 200
COUNTED: Final = 10_000
BATCH_ROWS: Final = 200
STALE_ROWS: Final = 20
BATCH_BYTES: Final = 4 * 1024 * 1024

_MATCHING: Final = query("rejected_matching").rstrip()
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def matching(name: str) -> str:
    """The statement sql/<name>.sql over a Selection."""
    return query(name).replace("{matching}", _MATCHING)


_PAGE: Final = matching("rejected_page")
_GROUPS: Final = matching("rejected_groups")
_ONE: Final = query("rejected_one")
_BATCH: Final = matching("rejected_batch")
_STALE: Final = query("rejected_stale")
_COUNT: Final = matching("rejected_count")


def encode_cursor(row: Listed) -> str:
    """Where a page ended: opaque to callers."""
    stamp = (row.received_at - _EPOCH) // _MICROSECOND
    return base64.urlsafe_b64encode(struct.pack(">q", stamp) + row.id.bytes).decode().rstrip("=")


def decode_cursor(text: str) -> tuple[datetime, UUID]:
    """Raises ValueError for what `encode_cursor` never made."""
    try:
        packed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        (stamp,) = struct.unpack(">q", packed[:8])
        return _EPOCH + timedelta(microseconds=stamp), UUID(bytes=packed[8:])
    except (binascii.Error, struct.error, OverflowError) as error:
        raise ValueError("This is no cursor of this list; begin without one.") from error


def list_rejected(
    *,
    project_id: int,
    selection: Selection,
    cursor: str | None = None,
    limit: int = PAGE,
    using: str = "default",
) -> tuple[list[Listed], str | None]:
    """A page of refused events, newest first, and the cursor of the next one. Raises ValueError for a bad cursor."""
    before, before_id = decode_cursor(cursor) if cursor else (None, None)
    parameters = {**selection.parameters(project_id), "before": before, "before_id": before_id}
    found = list(starmap(Listed, fetch(using, _PAGE, {**parameters, "limit": limit + 1})))
    page = found[:limit]
    return page, encode_cursor(page[-1]) if len(found) > limit else None


def group_rejected(*, project_id: int, selection: Selection, using: str = "default") -> list[Group]:
    """Counts by type and code, the largest first; at most MOST_GROUPS."""
    parameters = {**selection.parameters(project_id), "limit": MOST_GROUPS}
    return list(starmap(Group, fetch(using, _GROUPS, parameters)))


def count_rejected(*, project_id: int, selection: Selection, using: str = "default") -> int:
    [(count,)] = fetch(using, _COUNT, selection.parameters(project_id))
    return int(count)


def count_waiting(*, project_id: int, using: str = "default") -> int:
    """How many wait for somebody, up to COUNTED: the live page asks several times a second."""
    statement = (
        "SELECT count(*) FROM (SELECT FROM rejected_event WHERE project_id = %(project_id)s AND state = 'waiting'"
        " LIMIT %(limit)s) AS counted"
    )
    [(count,)] = fetch(using, statement, {"project_id": project_id, "limit": COUNTED})
    return int(count)


def get_rejected(*, project_id: int, rejected_id: UUID, using: str = "default") -> Detailed:
    """One refused event with its bytes. Raises NotThere."""
    rows = fetch(using, _ONE, {"project_id": project_id, "id": rejected_id})
    if not rows:
        raise NotThere(f"There is no refused event {rejected_id} in this project; it may have been removed.")
    return Detailed(*rows[0])


def each_rejected(*, project_id: int, selection: Selection, using: str = "default") -> Iterator[Detailed]:
    """All that match, newest first, one row in memory at a time."""
    cursor: str | None = None
    while True:
        page, cursor = list_rejected(
            project_id=project_id, selection=selection, cursor=cursor, limit=LARGEST_PAGE, using=using
        )
        for row in page:
            rows = fetch(using, _ONE, {"project_id": project_id, "id": row.id})
            yield from starmap(Detailed, rows)  # none when it was removed meanwhile
        if cursor is None:
            return


def next_batch(
    *, project_id: int, selection: Selection, own: UUID, reached: datetime | None, using: str = "default"
) -> list[Waiting]:
    """The oldest that match and that the bulk `own` has not tried: at most BATCH_ROWS, about BATCH_BYTES."""
    parameters = {
        **selection.parameters(project_id),
        "own": own,
        "reached": reached,
        "limit": BATCH_ROWS,
        "bytes": BATCH_BYTES,
    }
    return list(starmap(Waiting, fetch(using, _BATCH, parameters)))


def find_stale(*, using: str = "default") -> dict[int, list[Waiting]]:
    """By project, rows that were claimed for a replay which never came to an end; the oldest first, in a bound."""
    found: dict[int, list[Waiting]] = {}
    for *members, project_id in fetch(using, _STALE, {"stale": STALE, "limit": STALE_ROWS}):
        found.setdefault(project_id, []).append(Waiting(*members))
    return found
