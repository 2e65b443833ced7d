"""Idempotency keys inside a flush: which of its requests are new, and what the others were answered."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final
from uuid import UUID

import msgspec
import psycopg

from events.answers import status_of
from events.errors import IngestError, InvalidEvent, RequestRefused
from events.flushes import Flush, Outcome, verdicts_of
from events.idempotency import in_flight_error
from events.sqlfiles import load_sql
from events.submissions import Keyed, Rejection, Submission, Verdicts

_CLAIM: Final = "SELECT ingest_claim(%(flush)s, %(begun)s, %(projects)s, %(keys)s, %(bodies)s)"
_CLAIMED: Final = load_sql("claimed_keys")
_RECORD: Final = load_sql("record_answers")
_REUSED: Final = "This Idempotency-Key was used with another body; use a new key for a new request."

Cursor = psycopg.Cursor[tuple[Any, ...]]


class Recorded(msgspec.Struct, array_like=True):
    """idempotency.answer. Each error: position, id, type, code, pointer, message."""

    accepted: int
    duplicates: int
    request_id: str
    ids: list[str | None]
    errors: list[tuple[int, str | None, str, str, str, str]]


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Recorded).decode


@dataclass(slots=True)
class Claims:
    """What of a flush is to be stored, and the answers that are settled, by place in the flush."""

    flush: Flush
    settled: dict[int, Verdicts | IngestError] = field(default_factory=dict)


def claim_keys(cursor: Cursor, flush: Flush, outcome: Outcome) -> Claims:
    """Take the keys of a new flush: requests that were answered before, or are elsewhere just now, are left out."""
    parameters = _parameters(flush)
    cursor.execute(_CLAIM, {**parameters, "begun": outcome.received_at}, prepare=True)
    claims = Claims(flush)
    kept: list[Submission] = []
    whose = iter(cursor.execute(_CLAIMED, parameters, prepare=True).fetchall())
    for place, submission in enumerate(flush.submissions):
        if submission.keyed is None:
            kept.append(submission)
            continue
        own, same, answer = next(whose)
        if own:
            kept.append(submission)
        elif submission.spooled:
            kept += _spooled_before(submission, known=own is not None, same=same)
        else:
            claims.settled[place] = _answer(own is not None, same, answer, replayed=True)
    if kept != flush.submissions:
        claims.flush = Flush(kept, flush.id)
    return claims


def recall_keys(cursor: Cursor, flush: Flush) -> Claims:
    """The same of a flush that had committed: the keys it took are those with its id."""
    claims = Claims(flush)
    kept: list[Submission] = []
    whose = iter(cursor.execute(_CLAIMED, _parameters(flush), prepare=True).fetchall())
    for place, submission in enumerate(flush.submissions):
        own, same, answer = next(whose) if submission.keyed else (True, True, None)
        if own:
            kept.append(submission)
        if submission.keyed:
            claims.settled[place] = _answer(own is not None, same, answer, replayed=not own)
    claims.flush = Flush(kept, flush.id)
    return claims


def record_answers(cursor: Cursor, flush: Flush, outcome: Outcome) -> None:
    """Write down what the requests with a key are about to be answered."""
    answered = [
        (submission, submission.keyed.key, verdicts)
        for submission, verdicts in zip(flush.submissions, verdicts_of(flush, outcome), strict=True)
        if submission.keyed
    ]
    cursor.execute(
        _RECORD,
        {
            "projects": [submission.project_id for submission, _, _ in answered],
            "keys": [UUID(bytes=key) for _, key, _ in answered],
            "statuses": [status_of(verdicts) for _, _, verdicts in answered],
            "accepted": [verdicts.accepted for _, _, verdicts in answered],
            "duplicates": [verdicts.duplicates for _, _, verdicts in answered],
            "rejected": [len(verdicts.rejections) for _, _, verdicts in answered],
            "answers": [_recorded(submission.request_id, verdicts) for submission, _, verdicts in answered],
        },
        prepare=True,
    )


def _parameters(flush: Flush) -> dict[str, Any]:
    keyed: Sequence[tuple[int, Keyed]] = [
        (submission.project_id, submission.keyed) for submission in flush.submissions if submission.keyed
    ]
    return {
        "flush": flush.id,
        "projects": [project_id for project_id, _ in keyed],
        "keys": [UUID(bytes=each.key) for _, each in keyed],
        "bodies": [each.body for _, each in keyed],
    }


def _recorded(request_id: str, verdicts: Verdicts) -> bytes:
    errors = [
        (each.position, each.id, each.type, each.error.code, each.error.pointer, each.error.message)
        for each in verdicts.rejections
    ]
    return _encode(Recorded(verdicts.accepted, verdicts.duplicates, request_id, verdicts.ids, errors))


def _answer(known: bool, same: bool, answer: bytes | None, *, replayed: bool) -> Verdicts | IngestError:
    if not known or answer is None:
        return in_flight_error()
    if not same:
        return RequestRefused(422, "idempotency_key_reused", _REUSED)
    found = _decode(answer)
    rejections = [
        Rejection(position, event_id, event_type, InvalidEvent(code, pointer, message), b"")
        for position, event_id, event_type, code, pointer, message in found.errors
    ]
    return Verdicts(
        found.accepted,
        found.duplicates,
        rejections,
        found.ids,
        replay_of=found.request_id if replayed else "",
    )


def _spooled_before(submission: Submission, *, known: bool, same: bool) -> list[Submission]:
    """What to store of a request that was answered 202 and whose key somebody else has by now.

    Nothing when that was the same request. Another body's events were promised to be kept: they are, as rejected.
    Raises psycopg.errors.LockNotAvailable when it cannot be known yet.
    """
    if not known:
        raise psycopg.errors.LockNotAvailable("an idempotency key of a spooled request is in use")
    if same:
        return []
    error = InvalidEvent("idempotency_key_reused", "", _REUSED)
    refused = [
        Rejection(event.position, event.id, event.type, error, submission.frames[event.position])
        for event in submission.prepared
    ]
    rejections = sorted([*submission.rejections, *refused], key=lambda each: each.position)
    return [replace(submission, prepared=[], rejections=rejections, keyed=None)]
