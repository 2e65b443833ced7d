"""How many events keys and projects stored today, as one process knows it: rows, read at most a second ago."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from math import ceil, inf
from typing import Final

import structlog
from django.db import Error as DatabaseError
from django.db import close_old_connections

from accounts.allowances import KeyLimits
from accounts.identity import KeyIdentity
from events.errors import LimitExceeded
from events.refreshing import Refresher
from events.usage import select_usage

FRESH_SECONDS: Final = 0.5
KNOWN_SECONDS: Final = 1.0
READS_PER_SECOND: Final = 20.0
MAX_PROJECTS: Final = 10_000
PROJECT: Final = -1  # where a key's number would stand: the sum of all keys

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Day:
    """A project's day: events stored by key when it was read, and taken here since then."""

    read_at: float = -inf
    ends_at: float = inf
    stored: Counter[int] = field(default_factory=Counter)
    taken: Counter[int] = field(default_factory=Counter)


class Quotas:
    """Reads behind the requests. A day that was never read, or whose rows cannot be read, stops nobody.

    Its answers are exact up to what is in flight: in this process between a read and its COMMIT, in others for a
    second. `check` and `take` are called under the limiter's lock.
    """

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._days: dict[int, _Day] = {}
        self._reader: Refresher[int] = Refresher(self._read, name="quotas", per_second=READS_PER_SECOND)
        self._failing = False

    def pending(self, identity: KeyIdentity, now: float) -> "list[Future[None]]":
        """What to wait for before `check`; asks for another read while the last one still serves."""
        if not any(_quotas(identity)):
            return []
        day = self._days.get(identity.project_id)
        if day is None or now - day.read_at > KNOWN_SECONDS:
            asked = self._reader.ask(identity.project_id)
            return [] if self._failing else [asked]
        if now - day.read_at > FRESH_SECONDS:
            self._reader.mark(identity.project_id)
        return []

    def uses(self, identity: KeyIdentity, now: float) -> Iterator[tuple[str, int, int, int]]:
        """(key or project, quota, events used, seconds until the day ends) of each quota there is."""
        day = self._days.get(identity.project_id) or _Day(ends_at=now)
        over = now >= day.ends_at
        for name, number, quota in _quotas(identity):
            used = 0 if over else day.stored[number] + day.taken[number]
            yield name, quota, used, 0 if over else ceil(day.ends_at - now)

    def check(self, identity: KeyIdentity, events: int, now: float) -> None:
        """Raises LimitExceeded when a quota has not that many events left."""
        for name, quota, used, seconds in self.uses(identity, now):
            if used + events > quota:
                raise LimitExceeded(
                    "quota_exceeded",
                    f"This {name} may store {quota} events a day (UTC), and has {max(0, quota - used)} left;"
                    f" the request has {events}.",
                    retry_after=max(1, seconds),
                    events=events,
                )

    def take(self, identity: KeyIdentity, events: int) -> None:
        if day := self._days.get(identity.project_id):
            day.taken[identity.key_id] += events
            day.taken[PROJECT] += events

    def close(self) -> None:
        self._reader.close()

    def _read(self, project_ids: frozenset[int]) -> None:
        """On the reader's thread."""
        close_old_connections()
        try:
            asked_at = self._monotonic()
            used = select_usage(project_ids=project_ids)
        except DatabaseError as error:
            self._failing = True
            log.warning("quotas_not_read", error=str(error).strip())
            return
        finally:
            close_old_connections()
        self._failing = False
        if len(self._days) >= MAX_PROJECTS:
            self._days.clear()
        for project_id in project_ids:
            stored = Counter(used.by_key.get(project_id, {}))
            stored[PROJECT] = stored.total()
            self._days[project_id] = _Day(asked_at, asked_at + used.seconds_left, stored)


def _quotas(identity: KeyIdentity) -> Iterator[tuple[str, int, int]]:
    limits = identity.limits or KeyLimits()
    if limits.key.daily is not None:
        yield "key", identity.key_id, limits.key.daily
    if limits.project.daily is not None:
        yield "project", PROJECT, limits.project.daily
