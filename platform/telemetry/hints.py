"""Hints: what may get lost. Marked at once in memory, sent coalesced by one thread per process."""

import contextlib
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterable
from typing import Final, Generic, TypeVar

import structlog

PER_SECOND: Final = 20.0
CAPACITY: Final = 10_000
_LOG_EVERY_SECONDS: Final = 10.0

T = TypeVar("T")
log = structlog.get_logger(__name__)


class HintSender(Generic[T]):
    """Sends the set of what was marked since the last send, at most `per_second` times a second.

    `send` runs on the sender's own thread. It should give up after half a second, and may raise whatever it likes:
    a hint that fails is counted and forgotten, never tried again, because a sweep over rows finds its work anyway.
    `mark` never waits for it. The thread starts with the first mark, also in a forked child.
    """

    def __init__(
        self,
        send: Callable[[frozenset[T]], None],
        *,
        name: str,
        per_second: float = PER_SECOND,
        capacity: int = CAPACITY,
    ) -> None:
        self._send = send
        self._name = name
        self._interval = 1 / per_second
        self._capacity = capacity
        self.sent = self.failed = self.dropped = 0
        self._logged_at = -_LOG_EVERY_SECONDS
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._marked: set[T] = set()
        self._thread: threading.Thread | None = None
        self._closing = False
        # A forked child inherits the lock in whatever state it was, and no thread.
        reset = weakref.WeakMethod(self._reset)
        os.register_at_fork(after_in_child=lambda: (method := reset()) and method())

    def mark(self, items: Iterable[T]) -> None:
        """Remember `items` for the next send. Safe from any thread and on an event loop."""
        with self._lock:
            for item in items:
                if len(self._marked) < self._capacity or item in self._marked:
                    self._marked.add(item)
                else:
                    self.dropped += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=f"hints-{self._name}", daemon=True)
                self._thread.start()
        self._wake.set()

    def close(self, *, seconds: float = 2.0) -> None:
        """Send what is marked and end the thread, within `seconds`."""
        self._closing = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(seconds)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._marked = set()
        self._thread = None
        self._closing = False

    def _run(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            begun = time.monotonic()
            self._send_marked()
            if self._closing:
                return
            time.sleep(max(0.0, self._interval - (time.monotonic() - begun)))

    def _send_marked(self) -> None:
        with self._lock:
            items, self._marked = frozenset(self._marked), set()
        if not items:
            return
        try:
            self._send(items)
        except Exception as error:  # noqa: BLE001 - the thread's outermost frame: no failure may end it
            self.failed += 1
            self._note(error)
        else:
            self.sent += 1

    def _note(self, error: Exception) -> None:
        now = time.monotonic()
        if now - self._logged_at >= _LOG_EVERY_SECONDS:
            self._logged_at = now
            with contextlib.suppress(OSError, ValueError):
                log.warning("hints_failed", hints=self._name, failed=self.failed, error=repr(error))
