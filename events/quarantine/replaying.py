"""Replaying refused events: each is stored once, however often, by however many, and whenever a process dies."""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Final
from uuid import UUID

from accounts.models import Project
from events.errors import IngestError, InvalidEvent, OutcomeUnknown
from events.failpoints import failpoint
from events.quarantine import storage
from events.quarantine.judging import Senders, find_senders, ingest, judge, name
from events.quarantine.rows import Refused, Replayed, Sound, Waiting
from events.quarantine.selectors import find_stale
from events.submissions import Verdicts

VERDICT_SECONDS: Final = 25.0
Refusal = tuple[Waiting, Refused, UUID | None]


def replay_rows(
    *, project_id: int, rows: Sequence[Waiting], bulk: UUID | None = None, using: str = "default"
) -> list[Replayed]:
    """Store each row's `text` in its place, through the one way in; results in the order of `rows`.

    Three steps, each committed by itself and safe to repeat: the text is *claimed* (written into the row, so that no
    other text can become its event), *stored* (identity makes a second time a duplicate), and the row is *marked*. The
    event and the mark cannot be in one transaction, for the writer commits by a connection of its own. So a crash
    between them leaves a claim; whoever replays it next, `resume_replays` at the latest, stores the same event again,
    hears that it is a duplicate, and marks the row. Raises Overloaded when nothing could be judged.
    """
    senders = find_senders(project_id=project_id, key_ids={row.key_id for row in rows})
    refused: list[Refusal] = []
    sound: list[tuple[Waiting, Sound]] = []
    for row in rows:
        verdict = judge(row, senders[row.key_id])
        if isinstance(verdict, Sound):
            sound.append((row, verdict))
        else:
            refused.append((row, verdict, None))
    noted = storage.refuse(project_id=project_id, refused=refused, bulk=bulk, using=using)
    claimed = storage.claim(project_id=project_id, sound=sound, bulk=bulk, using=using)
    found = {row.id: Replayed(row.id, "rejected", error=verdict.error) for row, verdict, _ in refused}
    found = {rejected_id: replayed for rejected_id, replayed in found.items() if rejected_id in noted}
    found |= _store(project_id, [each for each in sound if each[0].id in claimed], senders, bulk, using)
    judged = {row.id: verdict.uid for row, verdict in sound}
    left = {row.id: judged.get(row.id) for row in rows if row.id not in found}
    found |= _got_there_first(project_id, left, using)
    return [found[row.id] for row in rows if row.id in found]


def resume_replays(*, using: str = "default") -> int:
    """Finish the replays that nobody has finished in time; how many claims it looked at. Safe to run twice at once."""
    stale = find_stale(using=using)
    for project_id, rows in stale.items():
        settled = storage.settle_stored(ids=[row.id for row in rows], using=using)
        left = [row for row in rows if row.id not in settled]
        try:
            replay_rows(project_id=project_id, rows=left, using=using)
        except Project.DoesNotExist:
            storage.give_up(ids=[row.id for row in left], using=using)
    return sum(map(len, stale.values()))


def _store(
    project_id: int,
    claimed: Sequence[tuple[Waiting, Sound]],
    senders: Senders,
    bulk: UUID | None,
    using: str,
) -> dict[UUID, Replayed]:
    """Submit all at once, so that one flush takes them; then write down what became of each."""
    deadline = time.monotonic() + VERDICT_SECONDS
    submitted = [(row, sound, _submit(row, senders)) for row, sound in claimed]
    found: dict[UUID, Replayed] = {}
    refused: list[Refusal] = []
    for row, sound, future in submitted:
        error = _error_of(future, deadline)
        if error is None:
            found[row.id] = Replayed(row.id, "replayed", uid=sound.uid)
        elif isinstance(error, InvalidEvent):
            refused.append((row, Refused(sound.type, error), sound.uid))
            found[row.id] = Replayed(row.id, "rejected", error=error)
        else:
            found[row.id] = Replayed(row.id, "unsettled")
    failpoint("replay.before_mark")
    stored = [(each.id, each.uid) for each in found.values() if each.uid is not None]
    storage.settle(project_id=project_id, stored=stored, using=using)
    storage.refuse(project_id=project_id, refused=refused, bulk=bulk, using=using)
    return found


def _submit(row: Waiting, senders: Senders) -> "Future[Verdicts]":
    future: Future[Verdicts] = Future()
    sender = senders[row.key_id]
    try:
        ingest(row, sender, name(row, sender), dry_run=False, deliver=partial(_settle, future))
    except IngestError as error:
        future.set_exception(error)
    return future


def _settle(future: "Future[Verdicts]", answer: Verdicts | IngestError) -> None:
    if isinstance(answer, Verdicts):
        future.set_result(answer)
    else:
        future.set_exception(answer)


def _error_of(future: "Future[Verdicts]", deadline: float) -> IngestError | TimeoutError | None:
    """Why the event is not known to be stored; None when it is, just now or before."""
    try:
        verdicts = future.result(max(0.0, deadline - time.monotonic()))
    except (IngestError, TimeoutError) as error:
        return error
    if verdicts.spooled:  # on disk, and not judged by the database: another try finds it there, by its id
        return OutcomeUnknown("The database is away; the event waits in the spool.")
    return verdicts.rejections[0].error if verdicts.rejections else None


def _got_there_first(project_id: int, left: Mapping[UUID, UUID | None], using: str) -> dict[UUID, Replayed]:
    """What others made of rows between our look at them and our claim. `left` has the event of each as we judged it."""
    found: dict[UUID, Replayed] = {}
    states = storage.read_states(project_id=project_id, ids=list(left), using=using) if left else {}
    for rejected_id, (state, uid) in states.items():
        if state == "replayed" and uid == left[rejected_id]:
            found[rejected_id] = Replayed(rejected_id, "replayed", uid=uid)
        else:
            found[rejected_id] = Replayed(rejected_id, "discarded" if state == "discarded" else "busy")
    return found
