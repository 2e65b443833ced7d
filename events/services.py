"""The one way in: every door calls `ingest_events`."""

import re
import time
from collections.abc import Callable, Sequence
from typing import Final

from django.db import Error as DatabaseError
from django.db import close_old_connections

from accounts.identity import KeyIdentity
from events.compression import decompress
from events.decoding import BodyFormat, Frames, decode_event, decode_sound, looks_plain, split_body
from events.errors import IngestError, InvalidEvent, Overloaded
from events.policies import Policy, Screen, load_policy, remembered_policy
from events.preparing import Bounds, Prepared, prepare, time_bounds
from events.requests import IngestOptions
from events.submissions import Companion, Rejection, Submission, Verdicts
from events.writer import get_writer

_TYPE_IN: Final = re.compile(rb'"type"\s*:\s*"([A-Za-z0-9._:/-]{1,200})"')
_ID_IN: Final = re.compile(rb'"id"\s*:\s*"([\x20\x21\x23-\x5b\x5d-\x7e]{1,256})"')


def ingest_events(
    *,
    identity: KeyIdentity,
    body: bytes,
    options: IngestOptions,
    policy: Policy,
    request_id: str,
    arrived: float,
    deliver: Callable[[Verdicts | IngestError], None],
    companion: Companion | None = None,
    using: str = "default",
) -> None:
    """Decode a request's events and have them committed in one transaction.

    `body` is as it came over the wire (`options.encoding`); `arrived` is when, in monotonic seconds. `deliver` is
    called exactly once, with Verdicts only after COMMIT returned (or at once when nothing is to be stored), from
    the writer's thread. `companion` writes rows of the door's own in the same transaction. Raises RequestRefused
    (nothing stored), Overloaded (nothing stored, try again).
    """
    plain_body = decompress(body, options.encoding)
    now_us = time.time_ns() // 1000
    prepared, rejections, frames = _prepare_all(
        plain_body,
        options.body_format,
        project_id=identity.project_id,
        now_us=now_us,
        bounds=_bounds(identity, now_us),
        screens=policy.screens,
    )
    whole = options.on_error == "reject"
    if options.dry_run or (whole and rejections):
        deliver(_unstored(prepared, rejections, frames, whole=whole))
        return
    submission = Submission(
        project_id=identity.project_id,
        key_id=identity.key_id,
        request_id=request_id,
        prepared=prepared,
        rejections=rejections,
        frames=frames,
        size=len(plain_body),
        arrived=arrived,
        whole=whole,
        logged="backfill" not in identity.scopes,
        deliver=deliver,
        companion=companion,
    )
    get_writer(using).submit(submission)


def fetch_policy(identity: KeyIdentity) -> Policy:
    """What the key's project asks of its events: from memory, or from rows. Raises Overloaded without a database."""
    known = remembered_policy(project_id=identity.project_id, version=identity.policy_version)
    if known is not None:
        return known
    close_old_connections()
    try:
        return load_policy(project_id=identity.project_id, version=identity.policy_version)
    except DatabaseError as error:
        raise Overloaded("The database is not answering; send it again.", retry_after=2) from error
    finally:
        close_old_connections()


def _bounds(identity: KeyIdentity, now_us: int) -> Bounds:
    """`backfill` lifts the shorter live limit, never the raw retention."""
    days = identity.raw_retention_days
    if identity.live_limit_days is not None and "backfill" not in identity.scopes:
        days = min(days, identity.live_limit_days)
    return time_bounds(now_us=now_us, retention_days=days)


def _prepare_all(
    body: bytes,
    body_format: BodyFormat,
    *,
    project_id: int,
    now_us: int,
    bounds: Bounds,
    screens: Sequence[Screen],
) -> tuple[list[Prepared], list[Rejection], Sequence[bytes]]:
    """What may be stored, what may not, and the texts of all events."""
    events = decode_sound(body, body_format)
    frames: Sequence[bytes]
    if events is not None:
        frames, plain = Frames(body, body_format, len(events)), True
    else:
        frames, plain = split_body(body, body_format), looks_plain(body)
    prepared: list[Prepared] = []
    rejections: list[Rejection] = []
    for position in range(len(frames)):
        try:
            event = events[position] if events is not None else decode_event(frames[position], plain=plain)
            for screen in screens:
                event = screen(event)
            prepared.append(
                prepare(event, position=position, project_id=project_id, now_us=now_us, bounds=bounds)
            )
        except InvalidEvent as error:
            rejections.append(_rejection(position, frames[position], error))
    return prepared, rejections, frames


def _rejection(position: int, frame: bytes, error: InvalidEvent) -> Rejection:
    """With the type and id as far as they can be made out, so that people find the event again."""
    found_type, found_id = _TYPE_IN.search(frame), _ID_IN.search(frame)
    return Rejection(
        position=position,
        id=found_id[1].decode() if found_id else None,
        type=found_type[1].decode() if found_type else "",
        error=error,
        raw=frame,
    )


def _unstored(
    prepared: list[Prepared], rejections: list[Rejection], frames: Sequence[bytes], *, whole: bool
) -> Verdicts:
    """What a dry run would store, or nothing at all when one refusal refuses the request."""
    if whole and rejections:
        return Verdicts(0, 0, rejections, [None] * len(frames))
    ids: list[str | None] = [None] * len(frames)
    for event in prepared:
        ids[event.position] = event.id if event.identified else None
    return Verdicts(len(prepared), 0, rejections, ids)
