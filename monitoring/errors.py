"""What can go wrong on a live socket, by what its client should do about it."""

from typing import ClassVar


class LiveError(Exception):
    """Base: `code` and `field` go to the client in an error frame, and never change for the same mistake."""

    code: ClassVar[str] = "live_error"

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.field = field


class BadFrame(LiveError):
    """The frame is not of the protocol: send another one."""

    code = "bad_frame"


class AuthenticationRequired(LiveError):
    """The socket does not know who you are: sign in, or send {"auth": key} first."""

    code = "authentication_required"


class Forbidden(LiveError):
    """You may not see this, or it does not exist: ask for a role or a key with scope read."""

    code = "forbidden"


class TooMany(LiveError):
    """A limit of this socket or process is reached: unsubscribe first, or connect later."""

    code = "too_many"


class Unavailable(LiveError):
    """The database does not answer, or something broke here: try again shortly."""

    code = "unavailable"

    def __init__(self, message: str = "The database does not answer. Try again shortly.") -> None:
        super().__init__(message)


class TooSlow(LiveError):
    """The client did not acknowledge what it was sent: connect again, and acknowledge."""

    code = "not_acknowledged"
