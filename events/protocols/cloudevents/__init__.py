"""CloudEvents 1.0 over HTTP: structured, batched and binary mode (docs/cloudevents.md).

Sources: CloudEvents 1.0.2, JSON Event Format 1.0.2, HTTP Protocol Binding 1.0.2 (github.com/cloudevents/spec).
"""

from collections.abc import Mapping
from typing import Final

from events.decoding import Opener
from events.media_types import require_utf8, split_content_type
from events.protocols import Protocol
from events.protocols.cloudevents.binary import is_binary, open_binary
from events.protocols.cloudevents.envelope import open_json
from events.protocols.cloudevents.schema import BATCH, CLOUDEVENT

STRUCTURED: Final = "application/cloudevents+json"
BATCHED: Final = "application/cloudevents-batch+json"
_ANY_FORMAT: Final = "application/cloudevents"


def _find_opener(media_type: str, headers: Mapping[str, str]) -> Opener | None:
    """By the binding's rule: its media types first, whatever the headers; otherwise binary mode, by headers."""
    if media_type.startswith(_ANY_FORMAT):
        if media_type not in {STRUCTURED, BATCHED}:
            return None
        require_utf8(split_content_type(headers["content-type"])[1])
        return open_json
    return open_binary(headers) if is_binary(headers) else None


CLOUDEVENTS: Final = Protocol("cloudevents", {STRUCTURED: CLOUDEVENT, BATCHED: BATCH}, _find_opener)
