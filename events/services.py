"""The one way in: every door calls `ingest_events`."""

import re
import time
from collections.abc import Callable, Sequence
from typing import Final

from django.db import Error as DatabaseError
from django.db import close_old_connections

from accounts.identity import KeyIdentity
from events.compression import decompress
from events.decoding import Opened, open_body
from events.errors import IngestError, InvalidEvent, Overloaded
from events.idempotency import in_flight, keyed_request, made_id
from events.policies import Policy, load_policy, remembered_policy
from events.preparing import Bounds, Prepared, prepare, time_bounds
from events.requests import IngestOptions
from events.sanitising.frames import CleanFrames
from events.schemas.watching import Warned, counting
from events.submissions import Keyed, Rejection, Submission, Verdicts
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
    using: str = "default",
) -> None:
    """Decode a request's events and have them committed in one transaction.

    `body` is as it came over the wire (`options.encoding`); `arrived` is when, in monotonic seconds. `deliver` is
    called exactly once, with Verdicts only after COMMIT returned (or at once when nothing is to be stored), from
    the writer's thread. Raises RequestRefused (nothing stored; 409 while the same Idempotency-Key is on its way),
    Overloaded (nothing stored, try again).
    """
    plain_body = decompress(body, options.encoding)
    opened = _open(plain_body, options)
    keyed = keyed_request(
        project_id=identity.project_id, options=options, body=plain_body, frames=opened.frames
    )
    now_us = time.time_ns() // 1000
    prepared, rejections, frames, warned = _prepare_all(
        opened,
        project_id=identity.project_id,
        now_us=now_us,
        bounds=_bounds(identity, now_us),
        policy=policy,
        keyed=keyed,
    )
    whole = options.on_error == "reject"
    if whole and rejections:
        prepared = []
        if keyed is None or options.dry_run:
            deliver(Verdicts(0, 0, rejections, [None] * len(frames)))
            return
    if options.dry_run or not frames:
        deliver(_unstored(prepared, rejections, frames))
        return
    submission = Submission(
        project_id=identity.project_id,
        key_id=identity.key_id,
        request_id=request_id,
        prepared=prepared,
        rejections=rejections,
        frames=frames,
        size=opened.size,
        arrived=arrived,
        whole=whole,
        logged="backfill" not in identity.scopes,
        deliver=counting(deliver, identity.project_id, warned, using) if warned else deliver,
        keyed=keyed,
    )
    with in_flight.holding(submission, using):
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


def _open(body: bytes, options: IngestOptions) -> Opened:
    if isinstance(options.body_format, str):
        return open_body(body, options.body_format)
    return options.body_format(body)


def _prepare_all(
    opened: Opened,
    *,
    project_id: int,
    now_us: int,
    bounds: Bounds,
    policy: Policy,
    keyed: Keyed | None,
) -> tuple[list[Prepared], list[Rejection], Sequence[bytes], list[tuple[int, Warned]]]:
    """What may be stored, what may not, the texts of all events as they may be kept, and warnings by position."""
    frames, decode, events = opened.frames, opened.decode, opened.events
    cleaner = policy.cleaner
    kept = frames if cleaner is None else CleanFrames(frames, cleaner.clean)
    prepared: list[Prepared] = []
    rejections: list[Rejection] = []
    warned: list[tuple[int, Warned]] = []
    for position in range(len(frames)):
        try:
            event = events[position] if events is not None else decode(frames[position])
            for screen in policy.screens:
                event = screen(event)
            if keyed is not None and not event.id:
                event.id = made_id(keyed, position)
            prepared.append(
                prepare(event, position=position, project_id=project_id, now_us=now_us, bounds=bounds)
            )
            if policy.watcher and (warning := policy.watcher(event)):
                warned.append((position, warning))
        except InvalidEvent as error:
            shown = error if cleaner is None else cleaner.clean_error(error)
            rejections.append(_rejection(position, kept[position], shown))
    return prepared, rejections, kept, warned


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


def _unstored(prepared: list[Prepared], rejections: list[Rejection], frames: Sequence[bytes]) -> Verdicts:
    """What a dry run would store."""
    ids: list[str | None] = [None] * len(frames)
    for event in prepared:
        ids[event.position] = event.id if event.identified else None
    return Verdicts(len(prepared), 0, rejections, ids)
