"""Judging a text in the place of a refused event, as if its sender sent it now: by the one way in, without storing."""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
from msgspec import structs

from accounts.identity import KeyIdentity
from accounts.selectors import sender_identities
from events.decoding import BodyFormat, Event, Opener
from events.errors import IngestError, InvalidEvent, RequestRefused
from events.identity import identity_key
from events.policies import Policy
from events.preparing import Bounds, microseconds, out_of_range, time_bounds
from events.protocols.cloudevents.envelope import open_json
from events.quarantine.rows import Refused, Sound, Waiting
from events.requests import IngestOptions
from events.services import fetch_policy, ingest_events
from events.submissions import Verdicts

REQUEST: Final = "replay"
_decode_members: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


@dataclass(frozen=True, slots=True)
class Sender:
    """Whose rules an event is judged by: those of its key now, or the project's where the key is no more.

    The live limit is kept apart: it is held against the time of arrival, or waiting here would make events too old.
    """

    identity: KeyIdentity
    policy: Policy
    live_limit_days: int | None


Senders = Mapping[int | None, Sender]


def find_senders(*, project_id: int, key_ids: Collection[int | None]) -> Senders:
    """By key id, None for no key. A rule that was changed counts at once. Raises Overloaded without a database."""
    found = sender_identities(project_id=project_id, key_ids={key for key in key_ids if key is not None})
    without_key = found[None]
    return {key: _sender(found.get(key, without_key)) for key in key_ids}


def _sender(identity: KeyIdentity) -> Sender:
    limit = None if "backfill" in identity.scopes else identity.live_limit_days
    return Sender(replace(identity, live_limit_days=None), fetch_policy(identity), limit)


class Naming:
    """The last screen of a replay: gives the event what makes it the same event however often it is replayed.

    Without the sender's id it gets the row's own (a UUIDv7: cheap for identity), so that identity decides; without a
    time it gets the time at which it first arrived, which is also the truer one. With both fixed, even a replay after
    identity forgot the id meets the event's primary key. `seen` is the event as it would be stored.
    """

    def __init__(self, row: Waiting, live: Bounds | None) -> None:
        self._row = row
        self._live = live
        self.seen: Event | None = None

    def __call__(self, event: Event) -> Event:
        when = event.time if isinstance(event.time, datetime) else self._row.received_at
        if self._live is not None and microseconds(when) < self._live.earliest_us:
            raise out_of_range(microseconds(when), self._live)
        self.seen = structs.replace(event, id=event.id or str(self._row.id), time=when)
        return self.seen


def judge(row: Waiting, sender: Sender) -> Sound | Refused:
    """Whether `row.text` would be stored now, and as which event. Raises Overloaded."""
    naming = name(row, sender)
    answers: list[Verdicts | IngestError] = []
    try:
        ingest(row, sender, naming, dry_run=True, deliver=answers.append)
    except RequestRefused as error:  # no event could be made out in it: as much a verdict as any
        return Refused("", InvalidEvent(error.code, "", error.detail))
    (answer,) = answers
    if not isinstance(answer, Verdicts):
        raise answer
    if answer.rejections:
        return Refused(answer.rejections[0].type, answer.rejections[0].error)
    event = naming.seen
    assert event is not None
    assert isinstance(event.id, str)
    assert isinstance(event.time, datetime)
    key = identity_key(sender.identity.project_id, event.source or "", event.id)
    return Sound(event.type, UUID(bytes=key), event.time)


def name(row: Waiting, sender: Sender) -> Naming:
    days = sender.live_limit_days
    live = days and time_bounds(now_us=microseconds(row.received_at), retention_days=days)
    return Naming(row, live or None)


def ingest(
    row: Waiting,
    sender: Sender,
    naming: Naming,
    *,
    dry_run: bool,
    deliver: Callable[[Verdicts | IngestError], None],
) -> None:
    """One event, all or nothing: what is refused of it makes no second row in the quarantine."""
    body, body_format = as_body(row.text)
    ingest_events(
        identity=sender.identity,
        body=body,
        options=IngestOptions(body_format=body_format, encoding="", on_error="reject", dry_run=dry_run),
        policy=replace(sender.policy, screens=(*sender.policy.screens, naming)),
        request_id=f"{REQUEST}-{row.id}",
        arrived=time.monotonic(),
        deliver=deliver,
    )


def as_body(text: bytes) -> tuple[bytes, BodyFormat | Opener]:
    """A request that holds `text` as its one event, whatever it is. Only lines keep an array from being taken apart.

    A CloudEvent tells itself by its `specversion`, which none of our own events may have.
    """
    if _is_cloudevent(text):
        return text, open_json
    if b"\n" not in text:
        return text, "ndjson"
    return (b"[" + text + b"]" if text.lstrip()[:1] == b"[" else text), "json"


def _is_cloudevent(text: bytes) -> bool:
    if b'"specversion"' not in text:
        return False
    try:
        return "specversion" in _decode_members(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
