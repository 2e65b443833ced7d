"""What people and programs do with refused events: judge a text, replay one, and begin something with many."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import structlog
import uuid_utils.compat
from django.db import OperationalError, transaction
from django.utils import timezone

from accounts.services import record_action
from events.errors import IngestError
from events.quarantine import storage
from events.quarantine.bulks import Progress, add_bulk, get_progress, run_bulk
from events.quarantine.errors import Conflict
from events.quarantine.judging import find_senders, judge
from events.quarantine.patches import Step
from events.quarantine.replaying import replay_rows
from events.quarantine.rows import Action, Detailed, Refused, Replayed, Selection, Sound, Waiting
from events.quarantine.selectors import get_rejected

AT_ONCE_SECONDS: Final = 2.0
log = structlog.get_logger(__name__)


def validate_text(
    *, project_id: int, text: bytes, rejected_id: UUID | None = None, using: str = "default"
) -> Sound | Refused:
    """What would become of `text` in the place of a refused event, or of any. Stores nothing.

    The database's own refusals and duplicates are found out only by a replay. Raises NotThere, Overloaded.
    """
    if rejected_id is None:
        row = Waiting(uuid_utils.compat.uuid7(), timezone.now(), None, "waiting", text)
    else:
        row = _waiting(get_rejected(project_id=project_id, rejected_id=rejected_id, using=using), text)
    senders = find_senders(project_id=project_id, key_ids={row.key_id})
    return judge(row, senders[row.key_id])


def replay_event(
    *, project_id: int, rejected_id: UUID, text: bytes | None = None, using: str = "default"
) -> Replayed:
    """Store one refused event, with `text` in its place if given; to repeat it changes nothing.

    Raises NotThere; Conflict when it was discarded, or another text of it is being or was replayed; Overloaded.
    """
    found = get_rejected(project_id=project_id, rejected_id=rejected_id, using=using)
    if found.state == "replaying" and storage.settle_stored(ids=[rejected_id], using=using):
        found = get_rejected(project_id=project_id, rejected_id=rejected_id, using=using)
    if found.state == "discarded":
        raise Conflict("This event was discarded; restore it first.")
    if found.state == "replayed":
        if text not in (None, found.text):
            raise Conflict("This event was replayed with another text; send this one as an event of its own.")
        return Replayed(found.id, "replayed", uid=found.uid)
    record_action(project_id=project_id, what=f"replay of refused event {rejected_id}")
    row = _waiting(found, found.text if text is None else text)
    results = replay_rows(project_id=project_id, rows=[row], using=using)
    return _result(results, rejected_id)


def start_bulk(
    *,
    project_id: int,
    action: Action,
    selection: Selection,
    patch: Sequence[Step] = (),
    created_by: str,
    using: str = "default",
) -> Progress:
    """Begin an action on all that match; what AT_ONCE_SECONDS do not suffice for, the workers finish.

    Raises InvalidPatch, and Conflict when too many are at work.
    """
    with transaction.atomic():
        bulk_id, total = add_bulk(
            project_id=project_id,
            action=action,
            selection=selection,
            patch=patch,
            created_by=created_by,
            using=using,
        )
        record_action(project_id=project_id, what=f"{action} of {total} refused events (bulk {bulk_id})")
    try:
        run_bulk(bulk_id=bulk_id, seconds=AT_ONCE_SECONDS, using=using)
    except (IngestError, OperationalError) as error:  # it is written down: a worker goes on with it
        log.warning("bulk_put_off", bulk=str(bulk_id), error=str(error))
    return get_progress(project_id=project_id, bulk_id=bulk_id, using=using)


def _waiting(found: Detailed, text: bytes) -> Waiting:
    return Waiting(found.id, found.received_at, found.key_id, found.state, text)


def _result(results: Sequence[Replayed], rejected_id: UUID) -> Replayed:
    """Raises Conflict for what only the caller can resolve."""
    if not results:
        raise Conflict(f"Refused event {rejected_id} was removed meanwhile.")
    if results[0].result == "discarded":
        raise Conflict("This event was discarded meanwhile; restore it first.")
    if results[0].result == "busy":
        raise Conflict("Another text of this event got there first; look at it again in a minute.")
    return results[0]
