"""A bucket of events that fills at a steady rate: GCRA, pure, callers pass the monotonic clock in seconds.

GCRA keeps one number, the theoretical arrival time (ITU-T I.371): when the bucket will be full again. A request of
n events may pass when taking them would put that time no further ahead than a whole bucket takes to fill.
"""

import math
from typing import Final

# A bucket that Redis told about within this time is known; an older one may have been emptied by other processes.
KNOWN_SECONDS: Final = 1.0
# Doubles of monotonic seconds are exact to a tenth of a microsecond for years.
_EPSILON: Final = 1e-6


class Bucket:
    """What one process knows of a bucket that many share: when it is full again, and what it took since it told.

    `rate` is events a second, `capacity` events at once.
    """

    __slots__ = ("capacity", "full_at", "rate", "seconds", "settled_at", "taken")

    def __init__(self, *, rate: int, capacity: int) -> None:
        self.rate = rate
        self.capacity = capacity
        self.seconds = capacity / rate  # to fill when empty
        self.full_at = -math.inf
        self.settled_at = -math.inf
        self.taken = 0

    def is_known(self, now: float) -> bool:
        return now - self.settled_at <= KNOWN_SECONDS

    def ahead(self, now: float) -> float:
        """Seconds until the bucket is full."""
        return max(0.0, self.full_at - now)

    def available(self, now: float) -> int:
        """Events that may pass now; none while other processes' debts are being worked off."""
        return max(0, math.floor((self.seconds - self.ahead(now)) * self.rate + _EPSILON))

    def wait(self, events: int, now: float) -> float:
        """Seconds until `events` may pass; 0 when they may now. Never for more than the capacity."""
        excess = self.ahead(now) + events / self.rate - self.seconds
        return excess if excess > _EPSILON else 0.0

    def take(self, events: int, now: float) -> None:
        self.full_at = max(self.full_at, now) + events / self.rate
        self.taken += events

    def hand_over(self, now: float) -> float:
        """The seconds that what was taken since the last time puts the bucket back by, to be told to all.

        After a time without Redis only what has not filled up again meanwhile: the rest would be held against
        everybody for as long as the outage lasted.
        """
        taken, self.taken = self.taken / self.rate, 0
        return taken if self.is_known(now) else min(taken, self.ahead(now))

    def settle(self, ahead: float, asked_at: float) -> None:
        """Redis answered: all processes together have put the bucket `ahead` seconds from full."""
        self.full_at = asked_at + ahead + self.taken / self.rate
        self.settled_at = asked_at
