"""What an answer of the server means for the events of its request. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from streamgauge.errors import RequestRefused
from streamgauge.retries import read_retry_after

Durability = Literal["committed", "spooled", "buffered"]


@dataclass(frozen=True)
class Reply:
    """An HTTP answer: header names in lower case, `at` by the monotonic clock, `wall` in Unix time."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    at: float
    wall: float


@dataclass(frozen=True)
class Lost:
    """No answer: whether the events were stored is not known."""

    reason: str
    at: float


@dataclass(frozen=True)
class Stopped:
    """The client is closing: no more tries."""

    at: float


Answer = Reply | Lost | Stopped


@dataclass(frozen=True)
class Refusal:
    """One event of the request was refused; `index` is its place there."""

    index: int
    code: str
    message: str
    pointer: str = ""
    retryable: bool = False


@dataclass(frozen=True)
class Verdicts:
    """Each event of the request has its verdict: refused if it is in `refusals`, otherwise stored."""

    accepted: int
    duplicates: int
    refusals: tuple[Refusal, ...] = ()
    durability: Durability = "committed"


@dataclass(frozen=True)
class Again:
    """Send the same events again, with the same ids."""

    reason: str
    retry_after: float | None = None


@dataclass(frozen=True)
class Halve:
    """The request was refused for what one of its events is, or for its size: ask for each half."""


@dataclass(frozen=True)
class Fault:
    """The request was refused whatever its events are; a try would get the same answer."""

    error: RequestRefused = field(repr=False)


Ruling = Verdicts | Again | Halve | Fault

_VERDICTS = frozenset({200, 202, 207, 422})
_FOR_ITS_EVENTS = frozenset({400, 413, 422})
_AGAIN = frozenset({408, 425, 429})


def judge(answer: Reply | Lost, events: int) -> Ruling:
    """The meaning of an answer to a request of this many events."""
    if isinstance(answer, Lost):
        return Again(answer.reason)
    document = _document(answer.body)
    if answer.status in _VERDICTS and (verdicts := _read(document, answer.status, events)) is not None:
        return verdicts
    if answer.status in _AGAIN or answer.status >= 500:
        wait = read_retry_after(answer.headers.get("retry-after"), now=answer.wall)
        return Again(f"the server answered {answer.status} {document.get('code', '')}".rstrip(), wait)
    error = _refused(answer, document)
    if answer.status not in _FOR_ITS_EVENTS:
        return Fault(error)
    if events > 1:
        return Halve()
    return Verdicts(0, 0, (Refusal(0, error.code, error.detail),))


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _read(document: dict[str, Any], status: int, events: int) -> Verdicts | None:
    """None when this is not an answer about this many events."""
    accepted, duplicates, errors = (document.get(name) for name in ("accepted", "duplicates", "errors"))
    spooled = status == 202 or document.get("durability") == "spooled"
    if spooled and duplicates is None:  # not known before the database is back
        duplicates = 0
    if type(accepted) is not int or type(duplicates) is not int or not isinstance(errors, list):
        return None
    refusals = tuple(_refusal(each) for each in errors if isinstance(each, dict))
    places = {refusal.index for refusal in refusals}
    if len(places) != len(errors) or not places <= set(range(events)):
        return None
    if accepted + duplicates + len(refusals) != events:
        return None
    return Verdicts(accepted, duplicates, refusals, "spooled" if spooled else "committed")


def _refusal(error: dict[str, Any]) -> Refusal:
    index = error.get("index")
    return Refusal(
        index if type(index) is int else -1,
        str(error.get("code", "")),
        str(error.get("message", "")),
        str(error.get("pointer") or ""),
        error.get("retryable") is True,
    )


def _refused(answer: Reply, document: dict[str, Any]) -> RequestRefused:
    if answer.status < 400:
        return RequestRefused(
            answer.status, "not_streamgauge", "This is no answer of Streamgauge's: check the URL."
        )
    detail = document.get("detail") or answer.body[:200].decode(errors="replace")
    return RequestRefused(answer.status, str(document.get("code", "refused")), str(detail))
