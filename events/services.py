"""The one way in: every door calls `ingest_events`."""

import asyncio
from collections.abc import Callable

from django.db import Error as DatabaseError
from django.db import close_old_connections

from accounts.identity import KeyIdentity
from events.compression import decompress
from events.decoding import Opened, open_body
from events.drops import count_rejections
from events.errors import IngestError, Overloaded
from events.idempotency import in_flight, keyed_request
from events.judging import Judged, judge_events
from events.limiter import limiter
from events.policies import Policy, load_policy, remembered_policy
from events.requests import IngestOptions
from events.schemas.watching import counting
from events.submissions import Companion, Keyed, Submission, Verdicts
from events.writer import get_writer


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
) -> int:
    """Decode a request's events and have them committed in one transaction; returns how many there are.

    `body` is as it came over the wire (`options.encoding`); `arrived` is when, in monotonic seconds. `deliver` is
    called exactly once, with Verdicts only after COMMIT returned (or at once when nothing is to be stored), from
    the writer's thread. `companion` writes rows of the door's own in the same transaction. Raises RequestRefused
    (nothing stored; 409 while the same Idempotency-Key is on its way), Overloaded or LimitExceeded (nothing stored,
    try again).
    """
    plain_body = decompress(body, options.encoding)
    opened = _open(plain_body, options)
    keyed = keyed_request(
        project_id=identity.project_id, options=options, body=plain_body, frames=opened.frames
    )
    if identity.limits is not None:
        limiter.charge(identity, len(opened.frames), stored=not options.dry_run)
    judged = judge_events(opened, identity=identity, policy=policy, keyed=keyed)
    if judged.rejections and not options.dry_run:
        _count_drops(identity, options, judged)
    if (verdicts := _verdicts_at_once(judged, options, keyed)) is not None:
        deliver(verdicts)
        return len(judged.frames)
    submission = Submission(
        project_id=identity.project_id,
        key_id=identity.key_id,
        request_id=request_id,
        prepared=judged.prepared,
        rejections=judged.rejections,
        frames=judged.frames,
        size=opened.size,
        arrived=arrived,
        whole=options.on_error == "reject",
        logged="backfill" not in identity.scopes,
        deliver=counting(deliver, identity.project_id, judged.warned, using) if judged.warned else deliver,
        keyed=keyed,
        companion=companion,
    )
    try:
        with in_flight.holding(submission, using):
            get_writer(using).submit(submission)
    except Overloaded as error:
        error.events = len(judged.frames)
        raise
    return len(judged.frames)


def _open(body: bytes, options: IngestOptions) -> Opened:
    if isinstance(options.body_format, str):
        return open_body(body, options.body_format)
    return options.body_format(body)


def _count_drops(identity: KeyIdentity, options: IngestOptions, judged: Judged) -> None:
    unstored = len(judged.prepared) if options.on_error == "reject" else 0
    count_rejections(
        project_id=identity.project_id,
        key_id=identity.key_id,
        rejections=judged.rejections,
        unstored=unstored,
    )


def _verdicts_at_once(judged: Judged, options: IngestOptions, keyed: Keyed | None) -> Verdicts | None:
    """What needs no commit: a dry run, no events, or all or nothing that came to nothing. None: store it.

    With a key, nothing is stored as well: the answer itself, for whoever asks again.
    """
    ids: list[str | None] = [None] * len(judged.frames)
    if options.on_error == "reject" and judged.rejections:
        judged.prepared.clear()
        store = keyed is not None and not options.dry_run
        return None if store else Verdicts(0, 0, judged.rejections, ids)
    if not options.dry_run and judged.frames:
        return None
    for event in judged.prepared:
        ids[event.position] = event.id if event.identified else None
    return Verdicts(len(judged.prepared), 0, judged.rejections, ids)


async def policy_of(identity: KeyIdentity) -> Policy:
    """As `fetch_policy`, for event loops: from memory at once, or from rows in a thread."""
    known = remembered_policy(project_id=identity.project_id, version=identity.policy_version)
    return known if known is not None else await asyncio.to_thread(fetch_policy, identity)


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
