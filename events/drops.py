"""Events that were not stored, counted by reason: in memory first, and a second later in ingest_drop."""

import atexit
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from django.db import close_old_connections

from accounts.identity import KeyIdentity
from events.errors import IngestError, LimitExceeded, OutcomeUnknown, Overloaded, RequestRefused
from events.flushes import Flush, Outcome, refused_by_database
from events.queries import execute, query
from events.submissions import Rejection
from events.usage import NO_KEY
from telemetry.hints import HintSender

WRITES_PER_SECOND: Final = 1.0
BATCH: Final = 1_000
_ADD: Final = query("add_drops")


class Place(NamedTuple):
    """What is counted apart. Only keys that exist are counted, so there are not many."""

    project_id: int
    reason: str
    key_id: int


@dataclass(slots=True)
class _Count:
    events: int = 0
    requests: int = 0


class DropCounter:
    """Counts from any thread without waiting, and writes once a second on a thread of its own.

    A process that is killed loses the counts of its last second. Counts that cannot be written are kept until they
    can be, and are dated when they are written.
    """

    def __init__(self, *, using: str = "default") -> None:
        self._using = using
        self._lock = threading.Lock()
        self._counts: dict[Place, _Count] = {}
        self._sender = self._new_sender()

    @property
    def failed(self) -> int:
        """Writes that failed, and were tried again."""
        return self._sender.failed

    def count(self, place: Place, *, events: int = 0, requests: int = 0) -> None:
        self._add(place, events, requests)
        self._sender.mark((None,))

    def close(self) -> None:
        """Write what is counted and end the thread; the next count starts another."""
        sender, self._sender = self._sender, self._new_sender()
        sender.close()

    def _new_sender(self) -> HintSender[None]:
        return HintSender(self._write, name="drops", per_second=WRITES_PER_SECOND)

    def _add(self, place: Place, events: int, requests: int) -> None:
        with self._lock:
            count = self._counts.setdefault(place, _Count())
            count.events += events
            count.requests += requests

    def _write(self, _: frozenset[None]) -> None:
        with self._lock:
            counts, self._counts = sorted(self._counts.items()), {}
        close_old_connections()
        written = 0
        try:
            for written in range(0, len(counts), BATCH):
                execute(self._using, _ADD, _columns(counts[written : written + BATCH]))
            written = len(counts)
        finally:
            close_old_connections()
            for place, count in counts[written:]:
                self._add(place, count.events, count.requests)
            if written < len(counts):
                self._sender.mark((None,))


def _columns(counts: Sequence[tuple[Place, _Count]]) -> dict[str, list[object]]:
    return {
        "projects": [place.project_id for place, _ in counts],
        "reasons": [place.reason for place, _ in counts],
        "keys": [place.key_id for place, _ in counts],
        "events": [count.events for _, count in counts],
        "requests": [count.requests for _, count in counts],
    }


drops: Final = DropCounter()
atexit.register(drops.close)  # a server without ASGI lifespan still writes its last second


def count_refused_request(identity: KeyIdentity, error: IngestError) -> None:
    """A request that was refused as a whole. Not one whose outcome is unknown: it may have been stored."""
    if isinstance(error, OutcomeUnknown):
        return
    place = Place(identity.project_id, _reason_of(error), identity.key_id)
    drops.count(place, events=error.events or 0, requests=1)


def _reason_of(error: IngestError) -> str:
    if isinstance(error, RequestRefused | LimitExceeded):
        return error.code
    return "overloaded" if isinstance(error, Overloaded) else "internal_error"


def count_rejections(
    *, project_id: int, key_id: int | None, rejections: Iterable[Rejection], unstored: int = 0
) -> None:
    """Events with a verdict of their own, and `unstored` good ones that went down with them (on_error=reject)."""
    for rejection in rejections:
        drops.count(Place(project_id, rejection.error.code, key_id or NO_KEY), events=1)
    if unstored:
        drops.count(Place(project_id, "not_stored", key_id or NO_KEY), events=unstored)


def count_refused_by_database(flush: Flush, outcome: Outcome) -> None:
    """What only the database could refuse."""
    for submission, start in zip(flush.submissions, flush.starts, strict=True):
        found = refused_by_database(submission, start, outcome)
        count_rejections(project_id=submission.project_id, key_id=submission.key_id, rejections=found)
