"""Reading again in the background what was asked for, so that nobody waits for it longer than they like."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

from telemetry.hints import HintSender

T = TypeVar("T")


class Refresher(Generic[T]):
    """Calls `refresh` with the set of what was marked, on a thread of its own, at most `per_second` times a second."""

    def __init__(self, refresh: Callable[[frozenset[T]], None], *, name: str, per_second: float) -> None:
        self._refresh = refresh
        self._lock = threading.Lock()
        self._waiting: dict[T, Future[None]] = {}
        self._sender: HintSender[T] = HintSender(self._run, name=name, per_second=per_second)

    def mark(self, item: T) -> None:
        """Have it refreshed soon. Never waits."""
        self._sender.mark((item,))

    def ask(self, item: T) -> "Future[None]":
        """As `mark`; the future is done when the refresh is, also when it failed. It is shared: do not cancel it."""
        with self._lock:
            future = self._waiting.setdefault(item, Future())
        self.mark(item)
        return future

    def close(self) -> None:
        self._sender.close()

    def _run(self, items: frozenset[T]) -> None:
        with self._lock:
            futures = [self._waiting.pop(item) for item in items if item in self._waiting]
        try:
            self._refresh(items)
        finally:
            for future in futures:
                future.set_result(None)
