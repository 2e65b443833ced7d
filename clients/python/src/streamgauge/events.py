"""An event on its way: its id, and the bytes that every try sends. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from streamgauge.errors import InvalidEvent
from streamgauge.limits import Limits


@dataclass(frozen=True)
class Prepared:
    """One event as JSON. What the caller does to its dictionary afterwards changes nothing here."""

    id: str
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        """As it is sent, with its id."""
        decoded: dict[str, Any] = json.loads(self.body)
        return decoded


def prepare(event: Mapping[str, Any], *, limits: Limits, new_id: Callable[[], str]) -> Prepared:
    """`time` may be an aware datetime. Only what cannot be sent is refused here: the server has the one validator.

    Raises InvalidEvent.
    """
    if not isinstance(event, Mapping):
        raise InvalidEvent("wrong_type", f"An event is a mapping, not {type(event).__name__}.")
    members = dict(event)
    identifier = members["id"] if members.get("id") is not None else new_id()
    if not isinstance(identifier, str):
        raise InvalidEvent("wrong_type", f"`id` must be a string, not {type(identifier).__name__}.")
    members["id"] = identifier
    if isinstance(members.get("time"), datetime):
        members["time"] = _rfc3339(members["time"])
    body = _encode(members)
    if len(body) > limits.event_bytes:
        raise InvalidEvent("event_too_large", f"{len(body)} bytes; the limit is {limits.event_bytes}.")
    return Prepared(identifier, body)


def _rfc3339(time: datetime) -> str:
    if time.utcoffset() is None:
        raise InvalidEvent("time_without_zone", "`time` has no zone: use datetime.now(timezone.utc).")
    return time.isoformat()


def _encode(members: dict[str, Any]) -> bytes:
    try:
        return json.dumps(members, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        raise InvalidEvent("lone_surrogate", "A string holds half a surrogate pair.") from None
    except RecursionError:
        raise InvalidEvent("too_deep", "The event is nested too deeply, or within itself.") from None
    except (TypeError, ValueError) as error:
        raise InvalidEvent("not_json", f"The event cannot be written as JSON: {error}.") from None
