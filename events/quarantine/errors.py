"""What can go wrong with the quarantine, by what the caller should do about it."""

from typing import ClassVar


class QuarantineError(Exception):
    """Base of what the quarantine refuses; `code` never changes."""

    code: ClassVar[str] = "quarantine_error"


class NotThere(QuarantineError):
    """There is no such refused event, or bulk, in this project: it was removed, or belongs to another one."""

    code = "not_found"


class Conflict(QuarantineError):
    """The event is not in a state for this; the message says what to do first."""

    code = "conflict"


class InvalidPatch(QuarantineError):
    """A step of the patch cannot be applied to any event: correct it."""

    code = "invalid_patch"
