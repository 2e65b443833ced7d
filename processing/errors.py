"""Errors of processing, by what the caller should do."""


class ProcessingError(Exception):
    """Base of them all."""


class InvalidDefinition(ProcessingError):
    """A pipeline's definition cannot be deployed; the message names the field and the remedy."""


class DrainTooSlow(ProcessingError):
    """A drain would hold its partitions too long: roll back, and take less next time."""


class NotRecountable(ProcessingError):
    """Windows cannot be compared with raw events; the message says which and why."""
