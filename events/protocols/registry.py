"""The protocols that the HTTP doors speak beside our own formats."""

from collections.abc import Mapping
from typing import Any, Final

from events.decoding import Opener
from events.protocols import Protocol
from events.protocols.cloudevents import CLOUDEVENTS

PROTOCOLS: Final[tuple[Protocol, ...]] = (CLOUDEVENTS,)
BODIES: Final[dict[str, dict[str, Any]]] = {
    content_type: schema for protocol in PROTOCOLS for content_type, schema in protocol.bodies.items()
}


def find_opener(media_type: str, headers: Mapping[str, str]) -> Opener | None:
    """How the first protocol that knows the request as its own opens it. Raises RequestRefused."""
    for protocol in PROTOCOLS:
        opener = protocol.find_opener(media_type, headers)
        if opener is not None:
            return opener
    return None
