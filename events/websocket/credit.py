"""Flow control of one socket: what its client may still send, and what waits for an answer. Pure."""

from events.limits import QUEUE_BYTES, QUEUE_EVENTS
from events.websocket.frames import Grant
from events.websocket.limits import FRAME_COST, SocketLimits


class Credit:
    """A grant only ever adds, so that frames under way cannot break one; a full queue grants less than was used."""

    __slots__ = ("_limits", "_unanswered_bytes", "_unanswered_events", "bytes", "events")

    def __init__(self, limits: SocketLimits) -> None:
        self._limits = limits
        self._unanswered_events = 0
        self._unanswered_bytes = 0
        self.events = 0
        self.bytes = limits.first_bytes  # until the key is known

    def receive(self, size: int) -> bool:
        """Take a frame's bytes from the credit; False when there were not enough."""
        self.bytes -= size + FRAME_COST
        self._unanswered_bytes += size + FRAME_COST
        return self.bytes >= 0

    def count(self, events: int) -> bool:
        """Take a frame's events from the credit; False when there were not enough."""
        self.events -= events
        self._unanswered_events += events
        return self.events >= 0

    def settle(self, *, events: int, size: int) -> None:
        """A frame is answered."""
        self._unanswered_events -= events
        self._unanswered_bytes -= size + FRAME_COST

    def open(self, fill: float, sockets: int) -> Grant:
        """The first grant: what was allowed for the first frame ends."""
        self.events = self.bytes = 0
        return self.grant(fill, sockets)

    def grant(self, fill: float, sockets: int) -> Grant:
        """What may be added, with the writer's queue filled to `fill` (0 to 1) and so many sockets sharing half of it.

        Once all is answered a client holds at least the `least_` limits, so that it need never wait in vain.
        """
        limits, room = self._limits, min(1.0, max(0.0, 2 - 2 * fill))
        events = max(limits.least_events, int(min(limits.events, QUEUE_EVENTS / 2 / sockets) * room))
        size = max(limits.least_bytes, int(min(limits.bytes, QUEUE_BYTES / 2 / sockets) * room))
        more = Grant(
            max(0, events - self.events - self._unanswered_events),
            max(0, size - self.bytes - self._unanswered_bytes),
        )
        self.events += more.events
        self.bytes += more.bytes
        return more
