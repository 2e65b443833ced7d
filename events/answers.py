"""What a door answers: verdicts as JSON, errors as RFC 9457 problem details. Plain data."""

from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, Final

import msgspec

from events.errors import IngestError, LimitExceeded, OutcomeUnknown, Overloaded, RequestRefused
from events.submissions import Rejection, Verdicts

JSON: Final = "application/json"
PROBLEM_JSON: Final = "application/problem+json"
_encode: Final = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer. `retry_after` is in seconds; `replayed` says that it was given before; `headers` are others
    that it has beside those of every answer.
    """

    status: int
    content_type: str
    body: bytes
    retry_after: int | None = None
    replayed: bool = False
    headers: tuple[tuple[str, str], ...] = ()


def problem(
    status: int, code: str, detail: str, request_id: str, *, retry_after: int | None = None, **members: Any
) -> Answer:
    """An error as RFC 9457 problem details; `code` is stable, `detail` is for people."""
    document = {
        "type": f"urn:streamgauge:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        "request_id": request_id,
        "errors": [],
        **members,
    }
    return Answer(status, PROBLEM_JSON, _encode(document), retry_after)


def error_answer(error: IngestError, request_id: str) -> Answer:
    """The answer to a request that was refused as a whole."""
    if isinstance(error, RequestRefused):
        return problem(error.status, error.code, error.detail, request_id, retry_after=error.retry_after)
    if isinstance(error, LimitExceeded):
        return problem(429, error.code, error.detail, request_id, retry_after=error.retry_after)
    if isinstance(error, Overloaded):
        return problem(503, "overloaded", error.detail, request_id, retry_after=error.retry_after)
    if isinstance(error, OutcomeUnknown):
        return problem(503, "outcome_unknown", error.detail, request_id, retry_after=error.retry_after)
    raise TypeError(f"no answer is known for {error!r}")


def verdict_answer(verdicts: Verdicts, request_id: str, *, dry_run: bool) -> Answer:
    """200 all good, 207 some refused, 422 all refused (or any, when the request wanted all or nothing), 202 spooled."""
    members: dict[str, Any] = {
        "accepted": verdicts.accepted,
        "duplicates": None if verdicts.spooled else verdicts.duplicates,
        "rejected": len(verdicts.rejections),
        "ids": verdicts.ids,
        "errors": [error_member(rejection) for rejection in verdicts.rejections],
    }
    if dry_run:
        members["dry_run"] = True
    if verdicts.spooled:
        members["durability"] = "spooled"
    replayed = bool(verdicts.replay_of)
    status = status_of(verdicts)
    if status != 422:
        return Answer(status, JSON, _encode(members), replayed=replayed)
    refused = problem(
        422,
        "events_rejected",
        "No event was stored; see errors.",
        verdicts.replay_of or request_id,
        **members,
    )
    return replace(refused, replayed=replayed)


def status_of(verdicts: Verdicts) -> int:
    """The HTTP status of verdicts."""
    if verdicts.rejections and not verdicts.accepted and not verdicts.duplicates:
        return 422
    if verdicts.spooled:
        return 202
    return 207 if verdicts.rejections else 200


def error_member(rejection: Rejection) -> dict[str, Any]:
    error = rejection.error
    return {
        "index": rejection.position,
        "id": rejection.id,
        "code": error.code,
        "pointer": error.pointer,
        "message": error.message,
        "retryable": error.retryable,
    }
