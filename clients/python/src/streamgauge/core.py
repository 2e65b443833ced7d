"""What the sync and the async client know and decide. No I/O, no clock, no lock: they bring these."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from streamgauge.batching import BatchSize, Queue
from streamgauge.delivery import Delivery, Steps, deliver, is_away
from streamgauge.errors import BufferFull, ClientClosed, NotStored, Rejected, Undelivered
from streamgauge.events import Prepared, prepare
from streamgauge.ids import new_id
from streamgauge.limits import Limits
from streamgauge.receipts import Receipt
from streamgauge.retries import RetryPolicy

POLL_SECONDS = 5.0  # how soon the events that a dead process left on disk are noticed
IDLE_SECONDS = 60.0
LONGEST_HOLD_SECONDS = 15 * 60.0  # a Retry-After beyond it is asked again


@dataclass(frozen=True)
class Counts:
    """Of this client, since it was made. `buffered` were put on disk; their verdicts are counted as well."""

    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    undelivered: int = 0
    buffered: int = 0
    retries: int = 0


@dataclass(frozen=True)
class Bound:
    """The most that waits in memory."""

    events: int = 50_000
    bytes: int = 64 * 1024 * 1024


@dataclass(frozen=True)
class Direct:
    """Send these from memory."""

    receipts: list[Receipt]


@dataclass(frozen=True)
class Spill:
    """Put these on disk: the server is away."""

    receipts: list[Receipt]


@dataclass(frozen=True)
class Drain:
    """Send what lies on disk."""


class Core:
    """Guarded by its client: the sync one holds a lock around each call, the async one runs in one loop."""

    def __init__(
        self,
        *,
        batch: BatchSize,
        retry: RetryPolicy,
        bound: Bound,
        has_disk: bool,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.limits = Limits()
        self.counts = Counts()
        self.trouble: Undelivered | None = None  # why the last request failed; None when it did not
        self.closing = False
        self.flushing = False
        self._batch = batch
        self._retry = retry
        self._bound = bound
        self._has_disk = has_disk
        self._chance = chance
        self._queue: Queue[Receipt] = Queue()
        self._in_flight: list[Receipt] = []
        self._unheard: list[Receipt] = []  # failed, and nobody was told
        self._outside_bytes = 0  # of these two
        self._drain_at = 0.0
        self._spill_at = 0.0
        self._hold_until = 0.0
        self._failures = 0

    @property
    def batch(self) -> BatchSize:
        return self._batch.within(self.limits)

    @property
    def idle(self) -> bool:
        """Nothing that was given to `send` waits in memory for its verdict."""
        return not self._queue and not self._in_flight

    def is_away(self, now: float) -> bool:
        """The server did not answer a moment ago: asking it now would be too soon."""
        return now < self._hold_until

    def prepare(self, event: Mapping[str, Any]) -> Receipt:
        """Raises InvalidEvent, or ClientClosed."""
        if self.closing:
            raise ClientClosed("This client is closed; make another one.")
        return Receipt(prepare(event, limits=self.limits, new_id=new_id))

    def add(self, receipts: Sequence[Receipt], now: float) -> bool:
        """All or none; False when there is no room now. Raises BufferFull when there never will be."""
        if self.closing:
            raise ClientClosed("This client is closed; make another one.")
        size = sum(len(receipt.prepared.body) for receipt in receipts)
        if len(receipts) > self._bound.events or size > self._bound.bytes:
            raise BufferFull(
                f"{len(receipts)} events of {size} bytes are more than the client may hold at once"
                f" ({self._bound.events} events, {self._bound.bytes} bytes): send fewer together."
            )
        if not self._fits(len(receipts), size):
            self._forget_seen()
            if not self._fits(len(receipts), size):
                return False
        for receipt in receipts:
            self._queue.add(receipt, len(receipt.prepared.body), now)
        return True

    def _fits(self, events: int, size: int) -> bool:
        held = len(self._queue) + len(self._in_flight) + len(self._unheard)
        held_bytes = self._queue.bytes + self._outside_bytes
        return held + events <= self._bound.events and held_bytes + size <= self._bound.bytes

    def _forget_seen(self) -> None:
        self._unheard = [receipt for receipt in self._unheard if not receipt.seen]
        self._weigh()

    def _weigh(self) -> None:
        self._outside_bytes = sum(
            len(receipt.prepared.body) for receipt in (*self._in_flight, *self._unheard)
        )

    def no_room(self) -> BufferFull:
        """What to raise when waiting for room was in vain."""
        remedy = f"{len(self._unheard)} of them failed: `flush()` tells which." if self._unheard else ""
        return BufferFull(
            f"{len(self._queue) + len(self._in_flight) + len(self._unheard)} events wait for the server,"
            f" which is the bound. {self.trouble or ''} {remedy}".rstrip()
        )

    def next(self, now: float) -> Direct | Spill | Drain | float | None:
        """What to do: send, spill, drain, wait so many seconds (or until something changes); None: all is done."""
        due = self._due_in(now)
        if due is not None and due <= 0:
            receipts = self._take()
            return Spill(receipts) if self._has_disk and self.is_away(now) else Direct(receipts)
        if self._has_disk and self._drain_at <= now:
            return Drain()
        if due is None:
            self.flushing = False
            if self.closing:
                return None
        waits = [IDLE_SECONDS if due is None else due]
        return min([*waits, self._drain_at - now] if self._has_disk else waits)

    def _due_in(self, now: float) -> float | None:
        """Seconds until what waits in memory has to move; None when nothing waits."""
        due = self._queue.due_in(self.batch, now)
        if due is None:
            return None
        if self._has_disk and self.is_away(now):
            return max(0.0, self._spill_at - now)
        return max(0.0 if self.flushing or self.closing else due, self._hold_until - now)

    def _take(self) -> list[Receipt]:
        self._in_flight = [receipt for receipt, _ in self._queue.take(self.batch)]
        self._weigh()
        return self._in_flight

    def deliver(self, events: Sequence[Prepared], now: float) -> Steps:
        """With a disk behind it there is one try: what fails is safe there, and is tried again from there."""
        policy = replace(self._retry, attempts=1) if self._has_disk else self._retry
        return deliver(events, policy, started=now, chance=self._chance)

    def retrying(self, why: Undelivered) -> None:
        """A request goes out again."""
        self.trouble = why
        self.counts = replace(self.counts, retries=self.counts.retries + 1)

    def delivered(self, delivery: Delivery, now: float) -> None:
        """Counts, and remembers whether the server is there."""
        counts = self.counts
        self.counts = replace(
            counts,
            accepted=counts.accepted + delivery.accepted,
            duplicates=counts.duplicates + delivery.duplicates,
            rejected=counts.rejected + len(delivery.rejected),
        )
        self.trouble = delivery.error
        if delivery.error is None:
            self._failures = 0
            self._hold_until = 0.0
            return
        self._failures += 1
        told = min(delivery.retry_after or 0.0, LONGEST_HOLD_SECONDS)
        wait = told + self._retry.backoff(self._failures, self._chance())
        if self._has_disk:
            self._drain_at = now + wait
        if self._has_disk and is_away(delivery.error):
            self._hold_until = now + wait

    def drained(self, *, more: bool, now: float) -> None:
        """After a successful look at the disk."""
        self._drain_at = now if more else now + POLL_SECONDS

    def buffered(self, receipts: int, now: float) -> None:
        """Events went to disk: look there when the server may be back."""
        self.counts = replace(self.counts, buffered=self.counts.buffered + receipts)
        self._drain_at = min(self._drain_at, max(now, self._hold_until))

    def put_back(self, receipts: Sequence[Receipt], now: float) -> None:
        """Neither the server nor the disk took them: they stay in memory."""
        self._queue.put_back([(receipt, len(receipt.prepared.body)) for receipt in receipts], now)
        self._in_flight = []
        self._weigh()
        self._spill_at = now + self._retry.first_seconds
        self._hold_until = max(self._hold_until, self._spill_at)

    def landed(self, unheard: Sequence[Receipt], undelivered: int = 0) -> None:
        """The batch in flight has its verdicts."""
        self._in_flight = []
        self._unheard.extend(unheard)
        self._weigh()
        self.counts = replace(self.counts, undelivered=self.counts.undelivered + undelivered)

    def leftovers(self) -> list[Receipt]:
        """What has no verdict, taken out of memory: for a close that ran out of time."""
        left = [*self._in_flight]
        while self._queue:
            left += [receipt for receipt, _ in self._queue.take(self.batch)]
        self._in_flight = []
        self._weigh()
        return left

    def require_stored(self) -> None:
        """Raises NotStored for what failed, or still waits, and nobody was told of; each is told once."""
        failed = [receipt for receipt in self._unheard if not receipt.seen]
        self._unheard = []
        self._weigh()
        rejected = [receipt.error for receipt in failed if isinstance(receipt.error, Rejected)]
        undelivered = [receipt.event for receipt in failed if not isinstance(receipt.error, Rejected)]
        waiting = [receipt.event for receipt in (*self._in_flight, *self._queue)]
        if rejected or undelivered or waiting:
            raise NotStored(rejected=rejected, undelivered=[*undelivered, *waiting], reason=self.trouble)
