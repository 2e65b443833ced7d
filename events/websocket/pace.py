"""How fast answers may leave, for servers that buffer without a bound what a client does not read. Pure."""

from collections.abc import Callable


class Pace:
    """A token bucket of bytes: `per_second` on average, `burst` at once."""

    __slots__ = ("_burst", "_clock", "_filled_at", "_per_second", "_tokens")

    def __init__(self, per_second: float, burst: float, clock: Callable[[], float]) -> None:
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        self._tokens = burst
        self._filled_at = clock()

    def delay(self, size: int) -> float:
        """Seconds to wait before the answer of `size` bytes may go; it is counted as sent."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._per_second) - size
        self._filled_at = now
        return max(0.0, -self._tokens / self._per_second)
