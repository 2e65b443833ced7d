"""A promise for each event: it ends stored, or raises why it is not."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Generator, Iterable
from concurrent import futures
from dataclasses import dataclass
from typing import Any

from streamgauge.delivery import Delivery
from streamgauge.errors import Rejected, StreamgaugeError
from streamgauge.events import Prepared
from streamgauge.verdicts import Durability

log = logging.getLogger("streamgauge")
OnRejected = Callable[[Rejected], object]


@dataclass(frozen=True)
class Stored:
    """Where the event is safe: in the server's database, in its spool, or in this client's buffer on disk."""

    id: str
    durability: Durability


class Receipt:
    """Of one event. `result()` waits, `await receipt` too; both return Stored or raise Rejected or Undelivered."""

    def __init__(self, prepared: Prepared) -> None:
        self.prepared = prepared
        self.seen = False  # somebody asked, and so will be told
        self._future: futures.Future[Stored] = futures.Future()

    @property
    def id(self) -> str:
        return self.prepared.id

    @property
    def event(self) -> dict[str, Any]:
        """As it is sent: with its id."""
        return self.prepared.event

    def done(self) -> bool:
        return self._future.done()

    def result(self, timeout: float | None = None) -> Stored:
        """Waits at most `timeout` seconds. Raises Rejected, Undelivered or TimeoutError."""
        self.seen = True
        try:
            return self._future.result(timeout)
        except futures.TimeoutError:
            raise TimeoutError(f"No verdict on event {self.id} within {timeout} s.") from None

    def __await__(self) -> Generator[Any, None, Stored]:
        self.seen = True
        # Shielded: whoever stops waiting must not cancel what others wait for.
        return asyncio.shield(asyncio.wrap_future(self._future)).__await__()

    def add_done_callback(self, callback: Callable[[Receipt], object]) -> None:
        """Called in the client's thread, or at once when the verdict is there."""
        self.seen = True
        self._future.add_done_callback(lambda _: callback(self))

    def stored(self, durability: Durability) -> None:
        self._settle(lambda: self._future.set_result(Stored(self.id, durability)))

    def fail(self, error: StreamgaugeError) -> None:
        self._settle(lambda: self._future.set_exception(error))

    @property
    def error(self) -> BaseException | None:
        """Without waiting, and without counting as having been asked."""
        return self._future.exception(0) if self._future.done() else None

    @staticmethod
    def _settle(settle: Callable[[], None]) -> None:
        try:
            settle()
        except futures.InvalidStateError:
            return  # a close that ran out of time had answered before


def resolve(receipts: Iterable[Receipt], delivery: Delivery, on_rejected: OnRejected | None) -> list[Receipt]:
    """Tells each receipt its verdict; returns those that were refused without anybody to hear of it."""
    of = {id(receipt.prepared): receipt for receipt in receipts}
    for prepared, durability in delivery.stored:
        of[id(prepared)].stored(durability)
    unheard = []
    for prepared, error in delivery.rejected:
        receipt = of[id(prepared)]
        receipt.fail(error)
        if not tell(on_rejected, error) and not receipt.seen:
            unheard.append(receipt)
    return unheard


def tell(on_rejected: OnRejected | None, error: Rejected) -> bool:
    """Whether the callback took it. One that fails must not stop the events behind it."""
    if on_rejected is None:
        return False
    try:
        on_rejected(error)
    except Exception:
        log.exception("on_rejected failed for event %s (%s)", error.event.get("id"), error)
        return False
    return True
