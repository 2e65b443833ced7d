"""Other vendors' protocols: each a closed folder that tells its requests and makes their bodies into events.

Limits, policies, storage and verdicts stay `ingest_events`'s, the same for all. A folder reads JSON with
`events.decoding` only, so that it is as strict as an event of our own. A new one goes into `registry.PROTOCOLS`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from events.decoding import Opener


@dataclass(frozen=True, slots=True)
class Protocol:
    """A way to write events that is not ours.

    `bodies` has the JSON Schema of a body by content type: for the OpenAPI document, and for people who sent another
    type. `find_opener` is asked before a body is read, by media type and all headers (lower-case names): how this
    protocol opens the body, or None when the request is not its own. It may raise RequestRefused.
    """

    name: str
    bodies: Mapping[str, dict[str, Any]]
    find_opener: Callable[[str, Mapping[str, str]], Opener | None]
