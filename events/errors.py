"""What can go wrong in ingest, by what the caller should do about it."""


class IngestError(Exception):
    """Base of everything ingest refuses. `events` is how many it refused, where their number is known."""

    events: int | None = None


class InvalidEvent(IngestError):
    """Correct this event and send it again: a verdict and a rejected row.

    `code` is stable; `pointer` is a JSON pointer (RFC 6901) into the event, "" for the event itself.
    """

    retryable = False

    def __init__(self, code: str, pointer: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.pointer = pointer
        self.message = message


class RequestRefused(IngestError):
    """Correct the request: nothing of it was stored. `status` is the HTTP status of the answer."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        retry_after: int | None = None,
        events: int | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.retry_after = retry_after
        self.events = events


class LimitExceeded(IngestError):
    """A limit of the key or its project: nothing was stored. Send it again after `retry_after` seconds."""

    def __init__(self, code: str, detail: str, *, retry_after: int, events: int) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.retry_after = retry_after
        self.events = events


class Overloaded(IngestError):
    """Slow down and send it again after `retry_after` seconds: nothing of it was stored."""

    def __init__(self, detail: str, *, retry_after: int = 1) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after = retry_after


class OutcomeUnknown(IngestError):
    """The database did not say in time. Send it again with the same ids: it may have been stored."""

    def __init__(self, detail: str, *, retry_after: int = 2) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after = retry_after
