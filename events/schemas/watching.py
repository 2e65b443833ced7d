"""Warnings: events that a schema in mode `warn` would have refused, counted by type and minute."""

import atexit
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import structlog
from django.db import Error as DatabaseError
from django.db import connections

from events.errors import IngestError
from events.queries import execute, query
from events.submissions import Verdicts
from telemetry.hints import HintSender

MINUTE: Final = 60
CAPACITY: Final = 10_000
PER_SECOND: Final = 1.0
_ADD: Final = query("add_schema_warnings")
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Warned:
    """One event that was stored although it breaks its schema: its type, where, and why."""

    type: str
    pointer: str
    message: str


@dataclass(slots=True)
class _Tally:
    events: int
    last: Warned


Bucket = tuple[str, int, str, int]  # alias, project, type, minute since 1970


class WarningCounter:
    """Counts in memory, and adds to the table once a second from a thread of its own, never on the hot path.

    A process that dies loses what it counted in its last second: the events are stored, the count is short.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._lock = threading.Lock()
        self._tallies: dict[Bucket, _Tally] = {}
        self._sender = HintSender(self._write, name="schema-warnings", per_second=PER_SECOND)
        os.register_at_fork(after_in_child=self._forget)  # the parent writes what the parent counted

    def count(self, project_id: int, warned: Sequence[Warned], using: str = "default") -> None:
        """Count warnings of events that were stored just now."""
        minute = int(time.time()) // MINUTE
        with self._lock:
            for each in warned:
                bucket = using, project_id, each.type, minute
                if tally := self._tallies.get(bucket):
                    tally.events += 1
                    tally.last = each
                elif len(self._tallies) < self._capacity:
                    self._tallies[bucket] = _Tally(1, each)
        self._sender.mark([using])

    def _write(self, aliases: frozenset[str]) -> None:
        for using in sorted(aliases):
            self._write_to(using)

    def _write_to(self, using: str) -> None:
        with self._lock:
            taken = {bucket: tally for bucket, tally in self._tallies.items() if bucket[0] == using}
            for bucket in taken:
                del self._tallies[bucket]
        if not taken:
            return
        try:
            execute(using, _ADD, _parameters(taken))
        except DatabaseError as error:
            self._give_back(taken)
            log.warning("schema_warnings_not_counted", error=str(error))
        finally:
            connections[using].close()

    def _give_back(self, taken: dict[Bucket, _Tally]) -> None:
        """Written with the next warning, when the database is back."""
        with self._lock:
            for bucket, tally in taken.items():
                if known := self._tallies.get(bucket):
                    known.events += tally.events
                elif len(self._tallies) < self._capacity:
                    self._tallies[bucket] = tally

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._tallies = {}

    def close(self) -> None:
        """Write what was counted, and end the thread."""
        self._sender.close()


def _parameters(taken: dict[Bucket, _Tally]) -> dict[str, object]:
    rows = sorted(taken.items())  # or two processes could each wait for a row of the other
    return {
        "projects": [project_id for (_, project_id, _, _), _ in rows],
        "types": [event_type for (_, _, event_type, _), _ in rows],
        "minutes": [datetime.fromtimestamp(minute * MINUTE, UTC) for (_, _, _, minute), _ in rows],
        "events": [tally.events for _, tally in rows],
        "pointers": [tally.last.pointer for _, tally in rows],
        "messages": [tally.last.message for _, tally in rows],
    }


_counter = WarningCounter()
atexit.register(_counter.close)
count_warnings = _counter.count


def counting(
    deliver: Callable[[Verdicts | IngestError], None],
    project_id: int,
    warned: Sequence[tuple[int, Warned]],
    using: str,
) -> Callable[[Verdicts | IngestError], None]:
    """`deliver` that also counts a request's warnings, by position, once their events are known to be stored."""

    def deliver_and_count(answer: Verdicts | IngestError) -> None:
        deliver(answer)
        if isinstance(answer, Verdicts):
            stored = [each for position, each in warned if answer.ids[position] is not None]
            count_warnings(project_id, stored, using)

    return deliver_and_count
