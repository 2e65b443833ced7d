"""What goes wrong, by what the caller should do about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class StreamgaugeError(Exception):
    """The base of all of them."""


class ClientClosed(StreamgaugeError):
    """This client takes no more events: make another one."""


class InvalidEvent(StreamgaugeError, ValueError):
    """`send` was given something that is no event; nothing was queued. Correct it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class BufferFull(StreamgaugeError):
    """The bound is reached and the event was not taken: send less, later, or give it a larger bound."""


class BufferUnusable(StreamgaugeError):
    """The file of the disk buffer cannot be written or read; the message has SQLite's reason."""


class Rejected(StreamgaugeError):
    """The server looked at this event and refused it: correct it, sending it again would change nothing."""

    def __init__(
        self, event: dict[str, Any], *, code: str, message: str, pointer: str = "", retryable: bool = False
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.event = event
        self.code = code
        self.message = message
        self.pointer = pointer  # a JSON pointer (RFC 6901) into the event
        self.retryable = retryable


class Undelivered(StreamgaugeError):
    """No answer that counts came within the retry policy: the event may be stored or not.

    Sending the same event again *with its id* is safe and stores it once.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class RequestRefused(Undelivered):
    """The server refused the request before it looked at its events (a bad key, a wrong URL): nothing is stored."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(f"The server answered {status} {code}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail


class NotStored(StreamgaugeError):
    """Raised by `flush` and `close`: what has not been stored and nobody has been told of yet."""

    def __init__(
        self,
        *,
        rejected: Sequence[Rejected],
        undelivered: Sequence[dict[str, Any]],
        reason: Undelivered | None,
    ) -> None:
        parts = []
        if rejected:
            parts.append(f"{len(rejected)} events were rejected, the first as {rejected[0]}")
        if undelivered:
            parts.append(
                f"{len(undelivered)} events are not known to be stored ({reason or 'no answer yet'})"
            )
        super().__init__("; ".join(parts))
        self.rejected = tuple(rejected)
        self.undelivered = tuple(undelivered)  # with their ids: sending these again is safe
        self.reason = reason
