"""Writes of the quarantine: each changes a row only from the state that its caller saw (compare and swap)."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from django.db import transaction

from events.quarantine.rows import STALE, Refused, Selection, Sound, State, Waiting
from events.quarantine.selectors import matching
from events.queries import execute, fetch, query

_CLAIM: Final = query("rejected_claim")
_REFUSE: Final = query("rejected_refuse")
_SETTLE: Final = query("rejected_settle")
_SETTLE_STORED: Final = query("rejected_settle_stored")
_MOVE: Final = matching("rejected_move")
# Two replays of the same rows in another order would deadlock.
_LOCK: Final = (
    "SELECT FROM rejected_event WHERE id = ANY(%(ids)s::uuid[]) AND project_id = %(project_id)s"
    " ORDER BY id FOR UPDATE"
)


def claim(
    *, project_id: int, sound: Sequence[tuple[Waiting, Sound]], bulk: UUID | None, using: str = "default"
) -> set[UUID]:
    """Write down what is about to be stored, before it is. Returns the rows whose text may now be stored."""
    parameters = {
        **_given([row for row, _ in sound], project_id, bulk),
        "types": [verdict.type for _, verdict in sound],
        "uids": [verdict.uid for _, verdict in sound],
        "times": [verdict.time for _, verdict in sound],
    }
    return _change(_CLAIM, parameters, using)


def refuse(
    *,
    project_id: int,
    refused: Sequence[tuple[Waiting, Refused, UUID | None]],
    bulk: UUID | None,
    using: str = "default",
) -> set[UUID]:
    """Note why these texts are refused; the UUID is the claimed event's, when it was claimed and refused after.

    Returns the rows where this was noted: not those that somebody else is replaying or has replayed.
    """
    parameters = {
        **_given([row for row, _, _ in refused], project_id, bulk),
        "types": [verdict.type for _, verdict, _ in refused],
        "codes": [verdict.error.code for _, verdict, _ in refused],
        "pointers": [verdict.error.pointer for _, verdict, _ in refused],
        "messages": [verdict.error.message for _, verdict, _ in refused],
        "uids": [uid for _, _, uid in refused],
    }
    return _change(_REFUSE, parameters, using)


def settle(*, project_id: int, stored: Sequence[tuple[UUID, UUID]], using: str = "default") -> None:
    """Mark (row, event) pairs as replayed."""
    if stored:
        ids, uids = map(list, zip(*stored, strict=True))
        _change(_SETTLE, {"project_id": project_id, "ids": ids, "uids": uids}, using)


def settle_stored(*, ids: Sequence[UUID], using: str = "default") -> set[UUID]:
    """Mark as replayed the claimed rows whose event is there: whoever stored it died before it could."""
    return {found for (found,) in fetch(using, _SETTLE_STORED, {"ids": list(ids)})}


def give_up(*, ids: Sequence[UUID], using: str = "default") -> None:
    """Discard claimed rows that nobody can replay any more: their project was deleted."""
    statement = (
        "UPDATE rejected_event SET state = 'discarded', changed_at = clock_timestamp()"
        " WHERE id = ANY(%(ids)s::uuid[]) AND state = 'replaying'"
    )
    execute(using, statement, {"ids": list(ids)})


def read_states(
    *, project_id: int, ids: Sequence[UUID], using: str = "default"
) -> dict[UUID, tuple[State, UUID | None]]:
    """(state, uid) of rows, by id."""
    statement = (
        "SELECT id, state, uid FROM rejected_event"
        " WHERE id = ANY(%(ids)s::uuid[]) AND project_id = %(project_id)s"
    )
    rows = fetch(using, statement, {"ids": list(ids), "project_id": project_id})
    return {found: (state, uid) for found, state, uid in rows}


def move(
    *, project_id: int, selection: Selection, to: State, own: UUID, limit: int, using: str = "default"
) -> int:
    """Put at most `limit` matching rows from `selection.state` into the state `to`; how many it were."""
    parameters = {**selection.parameters(project_id), "to": to, "own": own, "limit": limit}
    return execute(using, _MOVE, parameters)


def _given(rows: Sequence[Waiting], project_id: int, bulk: UUID | None) -> dict[str, Any]:
    return {
        "project_id": project_id,
        "bulk": bulk,
        "stale": STALE,
        "ids": [row.id for row in rows],
        "texts": [row.text for row in rows],
    }


def _change(statement: str, parameters: dict[str, Any], using: str) -> set[UUID]:
    if not parameters["ids"]:
        return set()
    with transaction.atomic(using=using):
        fetch(using, _LOCK, parameters)
        return {found for (found,) in fetch(using, statement, parameters)}
