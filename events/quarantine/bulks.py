"""Replaying, discarding or restoring many refused events: a row says what to do, and the events' rows how far it is."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
import structlog
import uuid_utils.compat

from accounts.models import Project
from events.errors import IngestError
from events.quarantine import storage
from events.quarantine.errors import Conflict, NotThere
from events.quarantine.patches import Step, apply_patch, check_patch
from events.quarantine.replaying import replay_rows
from events.quarantine.rows import Action, Selection, State, Waiting
from events.quarantine.selectors import count_rejected, next_batch
from events.queries import execute, fetch, query

MOVED: Final = 1_000  # rows that one statement discards or restores
# Longer than a batch may take. Two that run one bulk at once do no harm: a row is tried once, and stored once.
LEASE: Final = timedelta(seconds=90)
MOST_UNFINISHED: Final = 20

_STATES: Final[dict[Action, tuple[State, State]]] = {
    "replay": ("waiting", "replayed"),
    "discard": ("waiting", "discarded"),
    "restore": ("discarded", "waiting"),
}
_ADD: Final = query("rejected_bulk_add")
_LEASE: Final = query("rejected_bulk_lease")
_REACH: Final = query("rejected_bulk_reach")
_PROGRESS: Final = query("rejected_bulk_progress")
_UNFINISHED: Final = (
    "SELECT id FROM rejected_bulk WHERE finished_at IS NULL"
    " AND (leased_until IS NULL OR leased_until < clock_timestamp()) ORDER BY created_at LIMIT %(limit)s"
)
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a bulk is. `treated` rows of about `total`, of which `refused` again, `replayed`, `discarded`.

    Counted over the rows it treated last: one that something else treated since counts no more.
    """

    id: UUID
    action: Action
    total: int
    created_by: str
    created_at: datetime
    finished_at: datetime | None
    treated: int
    waiting: int
    replayed: int
    discarded: int


@dataclass(frozen=True, slots=True)
class _Bulk:
    id: UUID
    project_id: int
    action: Action
    selection: Selection
    patch: list[Step]
    reached: datetime | None


def add_bulk(
    *,
    project_id: int,
    action: Action,
    selection: Selection,
    patch: Sequence[Step] = (),
    created_by: str,
    using: str = "default",
) -> tuple[UUID, int]:
    """Write down what is to be done with what matches now, not with what comes later. Returns (id, rows).

    Raises InvalidPatch, and Conflict for rows of another state, or when MOST_UNFINISHED are at work in the project.
    """
    check_patch(patch)
    state = _STATES[action][0]
    if selection.state not in (None, state):
        raise Conflict(f"To {action} is for events that are {state}; choose among those.")
    unfinished = "SELECT count(*) FROM rejected_bulk WHERE project_id = %(id)s AND finished_at IS NULL"
    [(running,)] = fetch(using, unfinished, {"id": project_id})
    if running >= MOST_UNFINISHED:
        raise Conflict(f"{running} bulks of this project are at work; wait until one is done.")
    [(now,)] = fetch(using, "SELECT clock_timestamp()")
    end = min(selection.end or now, now)
    meant = msgspec.structs.replace(selection, state=state, end=end)
    total = count_rejected(project_id=project_id, selection=meant, using=using)
    bulk_id = uuid_utils.compat.uuid7()
    parameters = {"selection": _text(meant), "patch": _text(list(patch)), "total": total, "action": action}
    execute(
        using, _ADD, {**parameters, "id": bulk_id, "project_id": project_id, "created_by": created_by[:200]}
    )
    return bulk_id, total


def run_bulk(*, bulk_id: UUID, seconds: float, using: str = "default") -> None:
    """Work on a bulk for about `seconds`, a batch at the least, unless somebody else does.

    May die at any moment and be run again: which rows are left is in the rows themselves.
    """
    leased = fetch(using, _LEASE, {"id": bulk_id, "lease": LEASE})
    if not leased:
        return
    found, project_id, action, selection, patch, reached = leased[0]
    bulk = _Bulk(
        found,
        project_id,
        action,
        msgspec.json.decode(selection, type=Selection),
        msgspec.json.decode(patch, type=list[Step]),
        reached,
    )
    deadline = time.monotonic() + seconds
    finished = False
    try:
        finished = _replay(bulk, deadline, using) if action == "replay" else _move(bulk, deadline, using)
    except Project.DoesNotExist:
        finished = True  # it was deleted: nobody waits for the rest
    finally:
        execute(using, "UPDATE rejected_bulk SET leased_until = NULL WHERE id = %(id)s", {"id": bulk_id})
    if finished:
        statement = "UPDATE rejected_bulk SET finished_at = clock_timestamp() WHERE id = %(id)s"
        execute(using, statement, {"id": bulk_id})


def run_unfinished(*, seconds: float, using: str = "default") -> int:
    """Go on with the bulks that nobody works on, the oldest first; how many it found."""
    deadline = time.monotonic() + seconds
    found = fetch(using, _UNFINISHED, {"limit": MOST_UNFINISHED})
    for (bulk_id,) in found:
        try:
            run_bulk(bulk_id=bulk_id, seconds=max(0.0, deadline - time.monotonic()), using=using)
        except (
            IngestError,
            Project.DoesNotExist,
        ) as error:  # the next run may fare better, other bulks need not wait
            log.warning("bulk_put_off", bulk=str(bulk_id), error=str(error))
    return len(found)


def get_progress(*, project_id: int, bulk_id: UUID, using: str = "default") -> Progress:
    """Raises NotThere."""
    rows = fetch(using, _PROGRESS, {"project_id": project_id, "id": bulk_id})
    if not rows:
        raise NotThere(f"There is no bulk {bulk_id} in this project; it may have been removed.")
    return Progress(*rows[0])


def _replay(bulk: _Bulk, deadline: float, using: str) -> bool:
    """Whether none is left."""
    reached = bulk.reached
    while True:
        batch = next_batch(
            project_id=bulk.project_id, selection=bulk.selection, own=bulk.id, reached=reached, using=using
        )
        if not batch:
            return True
        patched = [_patched(row, bulk.patch) for row in batch]
        replay_rows(project_id=bulk.project_id, rows=patched, bulk=bulk.id, using=using)
        reached = batch[0].received_at
        execute(using, _REACH, {"reached": reached, "lease": LEASE, "id": bulk.id})
        if time.monotonic() >= deadline:
            return False


def _patched(row: Waiting, patch: Sequence[Step]) -> Waiting:
    return Waiting(row.id, row.received_at, row.key_id, row.state, apply_patch(row.text, patch))


def _move(bulk: _Bulk, deadline: float, using: str) -> bool:
    while True:
        moved = storage.move(
            project_id=bulk.project_id,
            selection=bulk.selection,
            to=_STATES[bulk.action][1],
            own=bulk.id,
            limit=MOVED,
            using=using,
        )
        if moved < MOVED:
            return True
        if time.monotonic() >= deadline:
            return False


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()
