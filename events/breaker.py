"""Whether the database is believed to be there: a circuit breaker for one writer.

States as in Nygard, "Release It!": closed, open, and half-open while one attempt is made to see.
"""

import threading
import time
from collections.abc import Callable
from typing import Final, Literal

State = Literal["closed", "open", "half_open"]
OPEN_AFTER_SECONDS: Final = 1.0
FIRST_PAUSE_SECONDS: Final = 0.1
LONGEST_PAUSE_SECONDS: Final = 1.0


class Breaker:
    """Opens after `open_after` seconds of failing, or when told; then each trial that fails doubles the pause.

    Safe from any thread. Callers that may only ask do not wait for those that try.
    """

    def __init__(
        self, *, open_after: float = OPEN_AFTER_SECONDS, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._open_after = open_after
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._failing_since: float | None = None
        self._state: State = "closed"
        self._pause = FIRST_PAUSE_SECONDS
        self._next_trial = 0.0

    @property
    def state(self) -> State:
        """Failing for long enough opens it, also while an attempt still hangs."""
        if self._failing_since is not None:
            with self._lock:
                self._open_when_due()
        return self._state

    @property
    def failing(self) -> bool:
        """The last that was heard of the database was an error."""
        return self._failing_since is not None

    def succeeded(self) -> None:
        with self._lock:
            self._failing_since, self._state, self._pause = None, "closed", FIRST_PAUSE_SECONDS

    def failed(self) -> None:
        """An attempt failed. While half-open, that ends the trial."""
        with self._lock:
            self._failing_since = self._failing_since or self._monotonic()
            if self._state == "half_open":
                self._pause = min(2 * self._pause, LONGEST_PAUSE_SECONDS)
                self._open()

    def trip(self) -> None:
        """Open without waiting: what was tried is given up."""
        with self._lock:
            self._failing_since = self._failing_since or self._monotonic()
            if self._state == "closed":
                self._open()

    def begin_trial(self) -> bool:
        """Whether the caller is to make an attempt now, and to say how it went."""
        with self._lock:
            self._open_when_due()
            if self._state != "open" or self._monotonic() < self._next_trial:
                return False
            self._state = "half_open"
            return True

    def _open_when_due(self) -> None:
        since = self._failing_since
        if self._state == "closed" and since is not None and self._monotonic() - since > self._open_after:
            self._open()

    def _open(self) -> None:
        self._next_trial = self._monotonic() + self._pause
        self._state = "open"
