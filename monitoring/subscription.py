"""What one socket was sent of one topic, and how much more it may be sent before it acknowledges."""

import asyncio
from collections import deque
from collections.abc import Callable

from monitoring.errors import BadFrame
from monitoring.hub import Hub
from monitoring.payloads import SnapshotReason
from monitoring.state import State


class Subscription:
    """A reader at its own pace.

    There is no queue: the socket is brought from the last state it was sent to the hub's latest, or waits when
    `credit` frames are unacknowledged. So a slow one skips states, holds at most `credit` frames in the
    server's memory, and nobody else notices. (Daphne buffers without bound: it cannot be asked.)
    """

    def __init__(self, hub: Hub, *, credit: int, wake: asyncio.Event, clock: Callable[[], float]) -> None:
        self.hub = hub
        self.wake = wake
        self._credit = credit
        self._clock = clock
        self._held: State | None = None
        self._reason: SnapshotReason = "start"
        self._unacknowledged: deque[int] = deque()
        self._heard_at = clock()

    def resume(self, epoch: str, seq: int) -> None:
        """The client says what it holds: continue from there if that is known here."""
        self._held, self._reason = self.hub.remembered(epoch, seq)

    def next_frame(self) -> str | None:
        """What to send now; None when the client is up to date or owes acknowledgements."""
        latest = self.hub.state
        if latest is None or latest is self._held or len(self._unacknowledged) >= self._credit:
            return None
        frame = self.hub.frame(self._held, self._reason)
        self._held = latest
        if not self._unacknowledged:
            self._heard_at = self._clock()
        self._unacknowledged.append(latest.seq)
        return frame

    def acknowledge(self, seq: int) -> None:
        """The client has applied all frames up to `seq`. Raises BadFrame when it was not sent that."""
        if self._held is None or seq > self._held.seq:
            raise BadFrame("This seq was not sent yet.", field="ack")
        while self._unacknowledged and self._unacknowledged[0] <= seq:
            self._unacknowledged.popleft()
        self._heard_at = self._clock()
        self.wake.set()

    def silent_seconds(self) -> float:
        """For how long the client has owed an acknowledgement; 0 when it owes none."""
        return self._clock() - self._heard_at if self._unacknowledged else 0.0
