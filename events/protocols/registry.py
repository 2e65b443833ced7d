"""The protocols that the HTTP doors speak beside our own formats."""

from collections.abc import Mapping
from typing import Final

from events.decoding import Opener
from events.protocols import Protocol
from events.protocols.cloudevents import CLOUDEVENTS

PROTOCOLS: Final[tuple[Protocol, ...]] = (CLOUDEVENTS,)
CONTENT_TYPES: Final = tuple(name for protocol in PROTOCOLS for name in protocol.content_types)


def find_opener(media_type: str, headers: Mapping[str, str]) -> Opener | None:
    """How the first protocol that knows the request as its own opens it. Raises RequestRefused."""
    for protocol in PROTOCOLS:
        opener = protocol.find_opener(media_type, headers)
        if opener is not None:
            return opener
    return None
