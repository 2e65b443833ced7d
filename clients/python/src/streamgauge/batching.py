"""When a batch is due and how much goes into it. Pure: the caller brings the time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from streamgauge.limits import Limits

Item = TypeVar("Item")
BRACKETS = 2  # of the array around the events; each event brings a comma


@dataclass(frozen=True)
class BatchSize:
    """A batch goes out when it has this many events or bytes, or its oldest event waited this long."""

    events: int = 500
    bytes: int = 1024 * 1024
    seconds: float = 0.2

    def within(self, limits: Limits) -> BatchSize:
        return BatchSize(
            min(self.events, limits.events_per_request), min(self.bytes, limits.body_bytes), self.seconds
        )


def fitting(sizes: Iterable[int], most: BatchSize) -> int:
    """How many of the first events go into one request: at least one, whatever its size."""
    total, count = BRACKETS, 0
    for size in sizes:
        total += size + 1
        if count and (count >= most.events or total > most.bytes):
            break
        count += 1
    return count


@dataclass
class Waiting(Generic[Item]):
    """One item of the queue: its size in bytes, and when it came."""

    item: Item
    size: int
    since: float


class Queue(Generic[Item]):
    """First in, first out; knows its size."""

    def __init__(self) -> None:
        self._waiting: deque[Waiting[Item]] = deque()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[Item]:
        return (waiting.item for waiting in self._waiting)

    def add(self, item: Item, size: int, now: float) -> None:
        self._waiting.append(Waiting(item, size, now))
        self.bytes += size

    def put_back(self, items: list[tuple[Item, int]], now: float) -> None:
        """To the front, in this order: they came before everything that waits."""
        self._waiting.extendleft(Waiting(item, size, now) for item, size in reversed(items))
        self.bytes += sum(size for _, size in items)

    def due_in(self, most: BatchSize, now: float) -> float | None:
        """Seconds until the next batch is due: 0 when it is, None when nothing waits."""
        if not self._waiting:
            return None
        if len(self._waiting) >= most.events or self.bytes >= most.bytes:
            return 0.0
        return max(0.0, self._waiting[0].since + most.seconds - now)

    def take(self, most: BatchSize) -> list[tuple[Item, int]]:
        """The next batch with the sizes of its items, due or not."""
        count = fitting((waiting.size for waiting in self._waiting), most)
        taken = [self._waiting.popleft() for _ in range(count)]
        self.bytes -= sum(waiting.size for waiting in taken)
        return [(waiting.item, waiting.size) for waiting in taken]
