"""Ids that rise with time: UUIDv7 (RFC 9562), from the standard library where it has them."""

import sys

if sys.version_info >= (3, 14):
    from uuid import uuid7
else:
    from uuid_utils import uuid7  # reseeds itself after a fork


def new_id() -> str:
    """Greater than the one before it in this process. Time-ordered keys are cheapest for the server's index."""
    return str(uuid7())
