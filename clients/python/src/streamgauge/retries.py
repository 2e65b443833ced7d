"""Whether to try again, and when. Pure: time and chance are the caller's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timezone
from email.utils import parsedate_to_datetime


@dataclass(frozen=True)
class RetryPolicy:
    """Bounds on the tries of one batch; all in seconds but `attempts`."""

    attempts: int = 8
    total_seconds: float = 60.0
    first_seconds: float = 0.2
    longest_seconds: float = 10.0

    def backoff(self, attempt: int, chance: float) -> float:
        """Full jitter (Brooker, "Exponential Backoff And Jitter", 2015): anything up to the doubled bound.

        `attempt` counts the tries so far, `chance` is in [0, 1).
        """
        return chance * min(self.longest_seconds, self.first_seconds * 2.0 ** min(attempt - 1, 32))

    def wait(self, *, attempt: int, elapsed: float, retry_after: float | None, chance: float) -> float | None:
        """Seconds until the next try; None when the bounds allow none. Never sooner than `retry_after`."""
        if attempt >= self.attempts:
            return None
        seconds = (retry_after or 0.0) + self.backoff(attempt, chance)
        return seconds if elapsed + seconds <= self.total_seconds else None


def read_retry_after(value: str | None, *, now: float) -> float | None:
    """Seconds of a Retry-After header (RFC 9110, 10.2.3: seconds or a date); None without a sensible one.

    `now` is Unix time.
    """
    if value is None:
        return None
    if value.strip().isascii() and value.strip().isdigit():
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (date if date.tzinfo else date.replace(tzinfo=timezone.utc)).timestamp() - now)
