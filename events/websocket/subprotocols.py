"""How clients write their frames, by WebSocket subprotocol."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from events.errors import RequestRefused
from events.requests import IngestOptions, read_options


@dataclass(frozen=True, slots=True)
class Subprotocol:
    """`formats`: content types by the word in a frame's head that names them; "" where there is none.

    Frames begin with a line of their seq, unless they are not `numbered`: then the server counts them from 1.
    """

    formats: Mapping[str, str]
    numbered: bool = True


DEFAULT: Final = "streamgauge.v1"
SUBPROTOCOLS: Final[Mapping[str, Subprotocol]] = {
    DEFAULT: Subprotocol(
        {"": "application/json", "json": "application/json", "ndjson": "application/x-ndjson"}
    ),
    # The WebSockets protocol binding of CloudEvents 1.0: one event, or a batch, a frame, and nothing else.
    "cloudevents.json": Subprotocol({"": "application/cloudevents+json"}, numbered=False),
}


def choose_subprotocol(offered: Sequence[str]) -> str | None:
    """The first of the client's that is known; None when none is. A client that offers none gets DEFAULT."""
    return next((name for name in offered if name in SUBPROTOCOLS), None) if offered else DEFAULT


@dataclass(frozen=True, slots=True)
class FrameOptions:
    """How to read a frame and what to answer; `ids`: the id of each event, as by HTTP."""

    ingest: IngestOptions
    ids: bool


@lru_cache(maxsize=256)
def frame_options(name: str, words: str) -> FrameOptions:
    """What the words of a frame's head ask for: format, `ids`, parameters as in a query. Raises RequestRefused."""
    formats = SUBPROTOCOLS[name].formats
    given = words.split()
    parameters = "&".join(word for word in given if "=" in word)
    named = [word for word in given if "=" not in word and word != "ids"] or [""]
    if len(named) > 1 or named[0] not in formats:
        known = " or ".join(filter(None, formats))
        detail = f"{' '.join(named)!r} names no format; use {known}."
        raise RequestRefused(415, "unsupported_media_type", detail)
    return FrameOptions(read_options({"content-type": formats[named[0]]}, parameters), "ids" in given)
