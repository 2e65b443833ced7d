"""The CloudEvents SDK as a client: events of the tests in each mode of HTTP, at each door."""

import gzip
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal

from cloudevents.core.bindings.http import HTTPMessage, to_binary_event, to_structured_event
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from tests.support.doors import Answer, Door

Mode = Literal["structured", "batched", "binary"]
MODES: Final[tuple[Mode, ...]] = ("structured", "batched", "binary")


def cloudevent(event: Mapping[str, Any]) -> CloudEvent:
    """The SDK's event for one of our own form: `key` is the extension partitionkey, `value` one of its name."""
    attributes = {"partitionkey" if name == "key" else name: value for name, value in event.items()}
    data = attributes.pop("data", None)
    if "time" in attributes:
        attributes["time"] = datetime.fromisoformat(attributes["time"])
    return CloudEvent(attributes, data)


def batch(events: Sequence[CloudEvent]) -> HTTPMessage:
    """The SDK writes no batches: an array of what its JSON format writes."""
    body = b"[" + b",".join(JSONFormat().write(event) for event in events) + b"]"
    return HTTPMessage({"content-type": "application/cloudevents-batch+json"}, body)


def message(event: CloudEvent, mode: Mode) -> HTTPMessage:
    if mode == "batched":
        return batch([event])
    return to_binary_event(event) if mode == "binary" else to_structured_event(event)


def send(door: Door, key: str, sent: HTTPMessage, *, query: str = "", compressed: bool = False) -> Answer:
    headers = {**sent.headers, "Authorization": f"Bearer {key}"}
    if compressed:
        headers["Content-Encoding"] = "gzip"
    return door.send(gzip.compress(sent.body) if compressed else sent.body, headers, query)
