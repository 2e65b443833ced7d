"""What becomes of each event of an opened body: prepared to be stored, or refused with a verdict."""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from accounts.identity import KeyIdentity
from events.admission import screens_of
from events.decoding import Opened
from events.errors import InvalidEvent
from events.idempotency import made_id
from events.policies import Policy
from events.preparing import Bounds, Prepared, prepare, time_bounds
from events.sanitising.frames import CleanFrames
from events.schemas.watching import Warned
from events.submissions import Keyed, Rejection

_TYPE_IN: Final = re.compile(rb'"type"\s*:\s*"([A-Za-z0-9._:/-]{1,200})"')
_ID_IN: Final = re.compile(rb'"id"\s*:\s*"([\x20\x21\x23-\x5b\x5d-\x7e]{1,256})"')


@dataclass(slots=True)
class Judged:
    """What may be stored, what may not, the texts of all events as they may be kept, and warnings by position."""

    frames: Sequence[bytes]
    prepared: list[Prepared] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    warned: list[tuple[int, Warned]] = field(default_factory=list)


def judge_events(opened: Opened, *, identity: KeyIdentity, policy: Policy, keyed: Keyed | None) -> Judged:
    """Judge each event by itself. An event without an id gets the one that its request's `keyed` makes."""
    frames, decode, events = opened.frames, opened.decode, opened.events
    cleaner, watcher = policy.cleaner, policy.watcher
    judged = Judged(frames if cleaner is None else CleanFrames(frames, cleaner.clean))
    prepared = judged.prepared
    now_us = time.time_ns() // 1000
    bounds, project_id = _bounds(identity, now_us), identity.project_id
    screens = policy.screens if identity.limits is None else (*screens_of(identity), *policy.screens)
    for position in range(len(frames)):
        try:
            event = events[position] if events is not None else decode(frames[position])
            for screen in screens:
                event = screen(event)
            if keyed is not None and not event.id:
                event.id = made_id(keyed, position)
            prepared.append(
                prepare(event, position=position, project_id=project_id, now_us=now_us, bounds=bounds)
            )
            if watcher and (warning := watcher(event)):
                judged.warned.append((position, warning))
        except InvalidEvent as error:
            shown = error if cleaner is None else cleaner.clean_error(error)
            judged.rejections.append(_rejection(position, judged.frames[position], shown))
    return judged


def _bounds(identity: KeyIdentity, now_us: int) -> Bounds:
    """`backfill` lifts the shorter live limit, never the raw retention."""
    days = identity.raw_retention_days
    if identity.live_limit_days is not None and "backfill" not in identity.scopes:
        days = min(days, identity.live_limit_days)
    return time_bounds(now_us=now_us, retention_days=days)


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
