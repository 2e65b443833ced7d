"""The frames of an ingest socket, both ways. Pure."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from events.websocket.subprotocols import Subprotocol

_MAX_DIGITS: Final = 15  # below 2 ** 53, so that every JSON library can hold a seq
HEAD: Final = "A frame begins with a line of its seq, such as `17` or `17 ndjson`; its events follow."
FIRST: Final = 'Send {"auth": "<key with the scope ingest>"} first, or the header Authorization.'


class Close(IntEnum):
    """Why a socket was closed, as in RFC 6455 and its registry."""

    IDLE = 1000
    POLICY = 1008
    TOO_BIG = 1009
    INTERNAL = 1011
    RESTART = 1012
    OVERLOADED = 1013


class Refusal(Struct, frozen=True):
    """Why a frame or a socket was refused: `status` and `code` as an HTTP answer's, `retry_after` in seconds."""

    status: int
    code: str
    detail: str
    retry_after: int | None = None

    @property
    def passing(self) -> bool:
        """Whether the same frame may do later."""
        return self.status in {429, 503}


class SocketRefused(Exception):
    """The client broke the protocol or may not be here: the socket closes with `close`."""

    def __init__(self, close: Close, refusal: Refusal) -> None:
        super().__init__(refusal.detail)
        self.close = close
        self.refusal = refusal


def violation(code: str, detail: str, *, status: int = 400) -> SocketRefused:
    return SocketRefused(Close.POLICY, Refusal(status, code, detail))


class Grant(Struct, frozen=True):
    """What the client may send beyond what it was granted before."""

    events: int
    bytes: int


class Ready(Struct, frozen=True):
    """The key is good: events of this project may come."""

    ready: str
    credit: Grant


class Ack(Struct, frozen=True):
    """The verdicts on the frames after the last answered one up to `ack`: one, if it has errors, ids or a durability.

    `duplicates` is None while they are not known: "durability" is then "spooled".
    """

    ack: int
    accepted: int
    duplicates: int | None
    rejected: int
    errors: list[dict[str, Any]]
    credit: Grant
    ids: list[str | None] | UnsetType = UNSET
    dry_run: bool | UnsetType = UNSET
    durability: str | UnsetType = UNSET


class Nack(Struct, frozen=True):
    """Frame `nack` was refused as a whole."""

    nack: int
    status: int
    code: str
    detail: str
    retry_after: int | None
    credit: Grant


class Closing(Struct, frozen=True):
    """The last frame of a socket that the server closes, and why."""

    closing: int
    status: int
    code: str
    detail: str
    retry_after: int | None


Reply = Ready | Ack | Nack | Closing


@dataclass(frozen=True, slots=True)
class EventsFrame:
    """A frame of events: `words` say how `body` is written and what to do with refused events."""

    seq: int
    words: str
    body: bytes


class _Auth(Struct, forbid_unknown_fields=True):
    auth: Annotated[str, Meta(max_length=200)]


_decode_auth: Final = msgspec.json.Decoder(_Auth).decode
_encode: Final = msgspec.json.Encoder().encode


def parse_auth(frame: bytes) -> str:
    """The key in a first frame. Raises SocketRefused."""
    try:
        return _decode_auth(frame).auth
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise violation("authentication_required", FIRST, status=401) from None


def parse_events(frame: bytes, subprotocol: Subprotocol, *, last: int) -> EventsFrame:
    """A frame of events that follows frame `last`. Raises SocketRefused."""
    if not subprotocol.numbered:
        return EventsFrame(last + 1, "", frame)
    head, _, body = frame.partition(b"\n")
    number, _, words = head.partition(b" ")
    if not number.isdigit() or len(number) > _MAX_DIGITS:
        raise violation("bad_frame", HEAD)
    seq = int(number)
    if seq <= last:
        raise violation(
            "bad_frame",
            f"seq {seq} does not follow {last}; each frame has a higher one, also when sent again.",
        )
    return EventsFrame(seq, words.decode("latin-1"), body)


def encode(reply: Reply) -> str:
    """A server's frame as text."""
    return _encode(reply).decode()
