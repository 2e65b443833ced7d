"""What one socket owes its client: an answer to each frame, in the order of the frames, and credit."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import ClassVar

from events.errors import IngestError
from events.limits import QUEUE_BYTES, QUEUE_EVENTS
from events.submissions import Verdicts
from events.websocket.credit import Credit
from events.websocket.frames import Grant, Reply, encode
from events.websocket.ledger import Entry, Ledger
from events.websocket.limits import SocketLimits
from events.websocket.pace import Pace
from events.websocket.refusals import UNKNOWN, refusal_of
from events.writer import get_writer


class Outbox:
    """Of one event loop. `send` takes a frame's text, and waits while the client does not read."""

    pumping: ClassVar[set["Outbox"]] = set()

    def __init__(self, limits: SocketLimits, send: Callable[[str], Awaitable[None]]) -> None:
        self.credit = Credit(limits)
        self._limits = limits
        self._send = send
        self._ledger = Ledger()
        self._pace = Pace(limits.answer_bytes_per_second, limits.answer_burst, time.monotonic)
        self._wake = asyncio.Event()
        self._answered = asyncio.Event()
        self._answered.set()

    @property
    def owes(self) -> bool:
        """Whether a frame waits for its answer."""
        return not self._answered.is_set()

    def open(self) -> Grant:
        """The credit to begin with."""
        return self.credit.open(queue_fill(), len(self.pumping) or 1)

    def add(self, entry: Entry) -> None:
        """From now on the client gets an answer to this frame."""
        self._ledger.add(entry)
        self._answered.clear()
        if entry.answer is not None:
            self._wake.set()

    def future_of(self, entry: Entry) -> "asyncio.Future[Verdicts]":
        """Where the writer puts the frame's verdicts."""
        future: asyncio.Future[Verdicts] = asyncio.get_running_loop().create_future()
        future.add_done_callback(lambda done: self._settle(entry, done))
        return future

    def _settle(self, entry: Entry, done: "asyncio.Future[Verdicts]") -> None:
        error = done.exception()
        if entry.answer is None:  # else it had been given up
            entry.answer = refusal_of(error) if isinstance(error, IngestError) else done.result()
        self._wake.set()

    def expire(self) -> None:
        """Say of frames whose verdict is overdue that nobody knows."""
        self._ledger.expire(time.monotonic() - self._limits.verdict_seconds, UNKNOWN)
        self._wake.set()

    async def settled(self) -> None:
        """Return when each frame's answer was sent."""
        await self._answered.wait()

    async def pump(self) -> None:
        """Send what is answered; several frames that one flush committed share an answer."""
        self.pumping.add(self)
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                await self._send_answers()
        finally:
            self.pumping.discard(self)

    async def _send_answers(self) -> None:
        for reply in self._ledger.replies(self.credit, queue_fill(), len(self.pumping)):
            await self.say(reply)
        if not self._ledger:
            self._answered.set()

    async def say(self, reply: Reply) -> None:
        text = encode(reply)
        if delay := self._pace.delay(len(text)):
            await asyncio.sleep(delay)
        await self._send(text)


def queue_fill() -> float:
    """How full the writer's queue is, from 0 to 1."""
    events, size = get_writer("default").depth
    return max(events / QUEUE_EVENTS, size / QUEUE_BYTES)
