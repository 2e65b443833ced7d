"""The frames of WS /ws/v1/live that clients send, and the codes that close a socket. docs/live.md explains them."""

from enum import IntEnum
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from monitoring.errors import BadFrame
from monitoring.payloads import Topic

VERBS = ("subscribe", "unsubscribe", "ack", "ping", "auth")


class Close(IntEnum):
    """Why a socket was closed; below 4000 as in RFC 6455."""

    POLICY = 1008  # a role was lost, or the client broke the protocol again and again
    TOO_BIG = 1009
    INTERNAL = 1011
    OVERLOADED = 1013  # this process has as many sockets as it takes, or the database does not answer
    SIGN_IN = 4401  # no credentials in time, the session ended, or the key was revoked
    NOT_ACKNOWLEDGED = 4408


Slug = Annotated[str, Meta(min_length=1, max_length=63)]
Counter = Annotated[int, Meta(ge=0, le=2**53)]


class Params(Struct, forbid_unknown_fields=True, frozen=True):
    """Which project a subscription is about."""

    project: Slug


class Since(Struct, forbid_unknown_fields=True, frozen=True):
    """The last state a client holds."""

    epoch: Annotated[str, Meta(max_length=32)]
    seq: Counter


class ClientFrame(Struct, forbid_unknown_fields=True, frozen=True):
    """One frame; exactly one of VERBS is set."""

    subscribe: Topic | UnsetType = UNSET
    unsubscribe: Topic | UnsetType = UNSET
    ack: Counter | UnsetType = UNSET
    ping: Counter | UnsetType = UNSET
    auth: Annotated[str, Meta(max_length=200)] | UnsetType = UNSET
    params: Params | UnsetType = UNSET
    since: Since | UnsetType = UNSET
    topic: Topic | UnsetType = UNSET

    @property
    def verb(self) -> str:
        """Which of VERBS the frame is. Raises BadFrame when it is none or several."""
        named = [verb for verb in VERBS if getattr(self, verb) is not UNSET]
        if len(named) != 1:
            raise BadFrame(f"A frame has exactly one of {', '.join(VERBS)}; this one has {len(named)}.")
        return named[0]


_decoder = msgspec.json.Decoder(ClientFrame)
_encoder = msgspec.json.Encoder()


def parse(text: str) -> ClientFrame:
    """A client's frame. Raises BadFrame that names the field."""
    try:
        return _decoder.decode(text)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$.")
        raise BadFrame(f"{message}.", field=path.rstrip("`")) from None
    except (msgspec.DecodeError, UnicodeEncodeError):
        raise BadFrame("A frame is one JSON object.") from None


def encode(frame: Any) -> str:
    """A server's frame as text: any of the TypedDicts in monitoring.payloads."""
    return _encoder.encode(frame).decode()
