"""May these events pass? Decided in memory by what this process knows; Redis and the database are asked behind it."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from math import ceil
from typing import Final, NamedTuple

from django.conf import settings

from accounts.allowances import Allowance, KeyLimits
from accounts.identity import KeyIdentity
from events.errors import LimitExceeded, RequestRefused
from events.limiting import Bucket
from events.quotas import Quotas
from events.refreshing import Refresher
from events.shared_buckets import SharedBuckets

ROUNDS_PER_SECOND: Final = 50.0
MAX_BUCKETS: Final = 10_000
DAY_SECONDS: Final = 86_400


class Standing(NamedTuple):
    """A limit and what remains of it: `quota` events in `window` seconds; `reset` seconds until all of it is back."""

    name: str
    quota: int
    window: int
    remaining: int
    reset: int


class Limiter:
    """The rates and daily quotas of this process's keys and their projects. Safe from any thread.

    `charge` never waits. What it took is told to Redis some twenty milliseconds later, and what all processes took
    comes back with the answer: together they may overshoot by what passed meanwhile, and a bucket that is
    overdrawn stays shut until the debt is worked off. Without Redis each process allows the whole rate itself.
    """

    def __init__(self, *, url: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._buckets: dict[str, Bucket] = {}
        self._shared = SharedBuckets(url=url, monotonic=monotonic)
        self._refresher: Refresher[str] = Refresher(self._settle, name="limits", per_second=ROUNDS_PER_SECOND)
        self.quotas = Quotas(monotonic=monotonic)

    def pending(self, identity: KeyIdentity) -> "list[Future[None]]":
        """What a door may wait for, briefly, before it charges: empty for a key in steady use."""
        now = self._monotonic()
        asked = self.quotas.pending(identity, now)
        for name, bucket in self._buckets_of(identity):
            if not bucket.is_known(now) and not self._shared.failing:
                asked.append(self._refresher.ask(name))
        return asked

    def charge(self, identity: KeyIdentity, events: int, *, stored: bool = True) -> None:
        """Take `events` from every limit of the key and its project, or from none.

        `stored` is False for a dry run, which is no use of a quota. Raises LimitExceeded, or RequestRefused when
        a bucket could never hold so many.
        """
        now = self._monotonic()
        buckets = self._buckets_of(identity)
        with self._lock:
            _check_capacity(buckets, events)
            if stored:
                self.quotas.check(identity, events, now)
            _check_rates(buckets, events, now)
            for _, bucket in buckets:
                bucket.take(events, now)
            if stored:
                self.quotas.take(identity, events)
        for name, _ in buckets:
            self._refresher.mark(name)

    def standings(self, identity: KeyIdentity) -> list[Standing]:
        """Every limit of the key and its project, for headers and for GET /api/v1/limits."""
        now = self._monotonic()
        with self._lock:
            rates = [
                Standing(
                    name.partition(":")[0],
                    bucket.capacity,
                    ceil(bucket.seconds),
                    bucket.available(now),
                    ceil(bucket.ahead(now)),
                )
                for name, bucket in self._buckets_of(identity)
            ]
            days = [
                Standing(f"{name}-day", quota, DAY_SECONDS, max(0, quota - used), left)
                for name, quota, used, left in self.quotas.uses(identity, now)
            ]
        return rates + days

    def close(self) -> None:
        """End the threads and let go of Redis."""
        self._refresher.close()
        self.quotas.close()
        self._shared.close()

    def _buckets_of(self, identity: KeyIdentity) -> list[tuple[str, Bucket]]:
        return [(name, self._bucket(name, of)) for name, of in _rates(identity)]

    def _bucket(self, name: str, of: Allowance) -> Bucket:
        bucket = self._buckets.get(name)
        if bucket is None:
            if len(self._buckets) >= MAX_BUCKETS:
                self._buckets.clear()  # Redis still has what was told of them
            bucket = Bucket(rate=of.rate or 1, capacity=of.capacity)
            bucket = self._buckets.setdefault(name, bucket)
        return bucket

    def _settle(self, names: frozenset[str]) -> None:
        """One round with Redis, on the refresher's thread."""
        if not self._shared.answers():
            return
        asked_at = self._monotonic()
        with self._lock:
            buckets = {name: bucket for name in names if (bucket := self._buckets.get(name))}
            taken = {_redis_key(name): bucket.hand_over(asked_at) for name, bucket in buckets.items()}
        ahead = self._shared.settle(taken)
        with self._lock:
            for name, bucket in buckets.items():
                if (seconds := ahead.get(_redis_key(name))) is not None:
                    bucket.settle(seconds, asked_at)


def _rates(identity: KeyIdentity) -> Iterator[tuple[str, Allowance]]:
    """Buckets by name. The limit is in it: a bucket whose limit changed begins full."""
    limits = identity.limits or KeyLimits()
    for kind, number, of in (
        ("key", identity.key_id, limits.key),
        ("project", identity.project_id, limits.project),
    ):
        if of.rate is not None:
            yield f"{kind}:{number}:{of.rate}:{of.capacity}", of


def _redis_key(name: str) -> str:
    return f"streamgauge:{{limits}}:{name}"


def _check_capacity(buckets: list[tuple[str, Bucket]], events: int) -> None:
    for name, bucket in buckets:
        if events > bucket.capacity:
            raise RequestRefused(
                413,
                "too_many_events",
                f"The request has {events} events; this {name.partition(':')[0]} takes at most {bucket.capacity}"
                " at once. Send smaller batches.",
                events=events,
            )


def _check_rates(buckets: list[tuple[str, Bucket]], events: int, now: float) -> None:
    slowest = max(buckets, key=lambda named: named[1].wait(events, now), default=None)
    if slowest is None or not (seconds := slowest[1].wait(events, now)):
        return
    name, bucket = slowest
    raise LimitExceeded(
        "rate_limited",
        f"This {name.partition(':')[0]} may send {bucket.rate} events a second, and {bucket.available(now)} now;"
        f" the request has {events}. Send it again after {ceil(seconds)} s.",
        retry_after=ceil(seconds),
        events=events,
    )


limiter: Final = Limiter(url=settings.REDIS_URL)
