"""A latency histogram with fixed bounds, so that counts of many processes add up."""

from bisect import bisect_left
from collections.abc import Sequence

# Upper bounds in milliseconds, a quarter apart: a percentile read from them is at most 25 % high.
BOUNDS_MS: tuple[float, ...] = tuple(round(0.5 * 1.25**step, 3) for step in range(48))


class LatencyHistogram:
    """Counts by bucket; `counts` has one place more than BOUNDS_MS, for what is slower than all of them."""

    __slots__ = ("counts", "observed")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_MS) + 1)
        self.observed = False

    def observe(self, milliseconds: float) -> None:
        self.counts[bisect_left(BOUNDS_MS, milliseconds)] += 1
        self.observed = True

    def take(self) -> list[int]:
        """The counts since the last call."""
        counts, self.counts = self.counts, [0] * (len(BOUNDS_MS) + 1)
        self.observed = False
        return counts


def percentile(counts: Sequence[int], share: float) -> float | None:
    """The latency in milliseconds below which `share` (0 to 1) of the counted requests lie; None without any.

    Linear within a bucket. What exceeds the last bound reads as that bound.
    """
    total = sum(counts)
    if total == 0:
        return None
    rank, seen = share * total, 0
    for place, count in enumerate(counts):
        if count and seen + count >= rank:
            if place == len(BOUNDS_MS):
                return BOUNDS_MS[-1]
            low = BOUNDS_MS[place - 1] if place else 0.0
            return low + (BOUNDS_MS[place] - low) * max(rank - seen, 0.0) / count
        seen += count
    return BOUNDS_MS[-1]
