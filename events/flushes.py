"""A flush: whole requests committed together under one id, and the books of what became of them."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from struct import pack, unpack
from typing import Any, Final
from uuid import UUID

import uuid_utils.compat

from events.errors import IngestError, InvalidEvent
from events.preparing import Prepared
from events.submissions import Rejection, Submission, Verdicts

_project_and_type: Final = attrgetter("project_id", "type")
NOT_STORABLE: Final = "The database cannot hold this event; simplify its numbers and strings."


@dataclass(slots=True, eq=False)
class Flush:
    """Requests on one commit. Positions count through the events of all of them, in arrival order."""

    submissions: list[Submission]
    id: UUID = field(default_factory=uuid_utils.compat.uuid7)
    events: list[Prepared] = field(init=False)
    starts: list[int] = field(init=False)
    keyed: bool = field(init=False)  # whether a request came with an Idempotency-Key

    def __post_init__(self) -> None:
        self.events, self.starts = [], []
        self.keyed = any(submission.keyed for submission in self.submissions)
        for submission in self.submissions:
            self.starts.append(len(self.events))
            self.events += submission.prepared


@dataclass(slots=True)
class Outcome:
    """What a flush found out about its events, by position."""

    received_at: datetime
    duplicates: set[int] = field(default_factory=set)
    refused: dict[int, InvalidEvent] = field(default_factory=dict)
    partitions: frozenset[int] = frozenset()
    part: Flush | None = (
        None  # what its positions count through, where requests answered before were left out
    )
    settled: dict[int, Verdicts | IngestError] = field(default_factory=dict)  # answers by place in the flush

    def keeps(self, position: int) -> bool:
        return position not in self.duplicates and position not in self.refused

    def stored(self, flush: Flush) -> list[Prepared]:
        if not self.duplicates and not self.refused:
            return flush.events
        return [event for position, event in enumerate(flush.events) if self.keeps(position)]


def pack_positions(positions: Iterable[int]) -> bytes | None:
    ordered = sorted(positions)
    return pack(f">{len(ordered)}I", *ordered) if ordered else None


def unpack_positions(packed: bytes | None) -> tuple[int, ...]:
    return unpack(f">{len(packed) // 4}I", packed) if packed else ()


def replayed_outcome(received_at: datetime, duplicates: bytes | None, refused: bytes | None) -> Outcome:
    """The verdicts of a flush that had already committed, from its row."""
    return Outcome(
        received_at,
        set(unpack_positions(duplicates)),
        {position: InvalidEvent("not_storable", "", NOT_STORABLE) for position in unpack_positions(refused)},
    )


def answers_of(flush: Flush, outcome: Outcome) -> Sequence[Verdicts | IngestError]:
    """The answer to each request of a committed flush, in the flush's order."""
    part = outcome.part or flush
    verdicts = verdicts_of(part, outcome)
    if not outcome.settled:
        return verdicts
    found = {id(submission): each for submission, each in zip(part.submissions, verdicts, strict=True)}
    return [
        outcome.settled[place] if place in outcome.settled else found[id(submission)]
        for place, submission in enumerate(flush.submissions)
    ]


def verdicts_of(flush: Flush, outcome: Outcome) -> list[Verdicts]:
    """The verdicts of the requests that a flush stored."""
    if not outcome.duplicates and not outcome.refused:
        return [_clean_verdicts(submission) for submission in flush.submissions]
    return [
        _mixed_verdicts(submission, start, outcome)
        for submission, start in zip(flush.submissions, flush.starts, strict=True)
    ]


def _clean_verdicts(submission: Submission) -> Verdicts:
    prepared = submission.prepared
    if not submission.rejections:
        return Verdicts(len(prepared), 0, [], [event.id for event in prepared])
    return Verdicts(len(prepared), 0, submission.rejections, _ids(submission, prepared))


def _mixed_verdicts(submission: Submission, start: int, outcome: Outcome) -> Verdicts:
    places = range(start, start + len(submission.prepared))
    refusals = refused_by_database(submission, start, outcome)
    duplicates = sum(place in outcome.duplicates for place in places)
    kept = [
        event
        for place, event in zip(places, submission.prepared, strict=True)
        if place not in outcome.refused
    ]
    rejections = sorted([*submission.rejections, *refusals], key=lambda rejection: rejection.position)
    return Verdicts(len(kept) - duplicates, duplicates, rejections, _ids(submission, kept))


def refused_by_database(submission: Submission, start: int, outcome: Outcome) -> list[Rejection]:
    """What the database refused of a request, with the events' own bytes."""
    found = []
    for place, event in enumerate(submission.prepared, start):
        if error := outcome.refused.get(place):
            raw = submission.frames[event.position]
            found.append(
                Rejection(event.position, event.id if event.identified else None, event.type, error, raw)
            )
    return found


def _ids(submission: Submission, kept: list[Prepared]) -> list[str | None]:
    ids: list[str | None] = [None] * len(submission.frames)
    for event in kept:
        ids[event.position] = event.id
    return ids


def all_rejections(flush: Flush, outcome: Outcome) -> list[tuple[Submission, Rejection]]:
    """Each event refused in the flush, by the decoder or by the database. None of requests stored whole or not at all,
    unless they were accepted before."""
    found: list[tuple[Submission, Rejection]] = []
    for submission, start in zip(flush.submissions, flush.starts, strict=True):
        rejections = submission.rejections
        if outcome.refused:
            rejections = [*rejections, *refused_by_database(submission, start, outcome)]
        if not submission.whole or submission.spooled:
            found += [(submission, rejection) for rejection in rejections]
    return found


def count_by_type(
    flush: Flush, outcome: Outcome, rejected: list[tuple[Submission, Rejection]]
) -> dict[str, list[Any]]:
    """Columns for ingest_count: accepted, duplicate and rejected by (project, type)."""
    accepted = Counter(map(_project_and_type, outcome.stored(flush)))
    duplicate = Counter(_project_and_type(flush.events[place]) for place in outcome.duplicates)
    refused = Counter((submission.project_id, rejection.type) for submission, rejection in rejected)
    names = sorted(accepted.keys() | duplicate.keys() | refused.keys())
    return {
        "count_projects": [project_id for project_id, _ in names],
        "count_types": [event_type for _, event_type in names],
        "accepted": [accepted[name] for name in names],
        "duplicate": [duplicate[name] for name in names],
        "rejected": [refused[name] for name in names],
    }
