"""Storing around an event that the database refuses: by request, then by halves, until only it is left out."""

from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, Final

import psycopg

from events.errors import InvalidEvent
from events.flushes import NOT_STORABLE, Flush, Outcome
from events.packed import PackedTimes, PackedUuids
from events.preparing import Prepared
from events.sqlfiles import load_sql

_EVENTS: Final = load_sql("insert_events")
_NOT_STORED: Final = InvalidEvent(
    "not_stored", "", "Another event of this request was refused and on_error=reject."
)
_FORGET: Final = "DELETE FROM event_identity WHERE generation = %s AND key = ANY(%s::uuid[])"

Connection = psycopg.Connection[tuple[Any, ...]]
Cursor = psycopg.Cursor[tuple[Any, ...]]


def insert_isolated(
    connection: Connection, cursor: Cursor, flush: Flush, outcome: Outcome, generation: int
) -> None:
    """Insert request by request, so that only what the database refuses is refused.

    Decides duplicates anew: an event that repeats the id of a refused one is none, and gets its own chance.
    """
    seen = _known_before(flush, outcome)
    outcome.duplicates = set()
    for submission, start in zip(flush.submissions, flush.starts, strict=True):
        places = range(start, start + len(submission.prepared))
        found, stored = Outcome(outcome.received_at), set(seen) if submission.whole else seen
        with connection.transaction() as savepoint:
            _insert_request(connection, cursor, flush, found, places, stored)
            if submission.whole and found.refused:
                raise psycopg.Rollback(savepoint)
        if submission.whole and found.refused:
            found.duplicates = set()
            found.refused = {place: found.refused.get(place, _NOT_STORED) for place in places}
        else:
            seen = stored
        outcome.duplicates |= found.duplicates
        outcome.refused.update(found.refused)
    refused = {flush.events[place].uid for place in outcome.refused if flush.events[place].identified}
    if refused - seen:
        # Or the corrected event, sent again under its id, would be taken for a duplicate.
        cursor.execute(_FORGET, (generation, PackedUuids.of(sorted(refused - seen))))


def _known_before(flush: Flush, outcome: Outcome) -> set[bytes]:
    """Keys that other flushes stored: those whose first event here is a duplicate already."""
    known: set[bytes] = set()
    first: set[bytes] = set()
    for place, event in enumerate(flush.events):
        if event.uid not in first and place in outcome.duplicates:
            known.add(event.uid)
        first.add(event.uid)
    return known


def _insert_request(
    connection: Connection,
    cursor: Cursor,
    flush: Flush,
    found: Outcome,
    places: Sequence[int],
    stored: set[bytes],
) -> None:
    """Adds to `stored` the keys that are in the table afterwards."""
    waiting: list[int] = list(places)
    while waiting:
        batch: dict[bytes, int] = {}
        repeats: list[int] = []
        for place in waiting:
            uid = flush.events[place].uid
            if uid in stored:
                found.duplicates.add(place)
            elif batch.setdefault(uid, place) != place:
                repeats.append(place)
        _insert_or_bisect(connection, cursor, flush, found, list(batch.values()))
        stored.update(uid for uid, place in batch.items() if place not in found.refused)
        waiting = repeats


def _insert_or_bisect(
    connection: Connection, cursor: Cursor, flush: Flush, outcome: Outcome, places: Sequence[int]
) -> None:
    if not places:
        return
    try:
        with connection.transaction():
            new = _insert_events(cursor, [flush.events[place] for place in places], outcome.received_at)
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        if len(places) == 1:
            outcome.refused[places[0]] = _not_storable(error.diag.message_primary or "")
            return
        unreadable = _find_unreadable(cursor, flush, places)
        if unreadable:
            outcome.refused.update(unreadable)
            readable = [place for place in places if place not in unreadable]
            _insert_or_bisect(connection, cursor, flush, outcome, readable)
            return
        middle = len(places) // 2
        _insert_or_bisect(connection, cursor, flush, outcome, places[:middle])
        _insert_or_bisect(connection, cursor, flush, outcome, places[middle:])
    else:
        # Older than the dedupe horizon, yet with the time and id of a stored event: a duplicate all the same.
        outcome.duplicates.update(place for place in places if flush.events[place].uid not in new)


def _find_unreadable(cursor: Cursor, flush: Flush, places: Sequence[int]) -> dict[int, InvalidEvent]:
    """In one statement, the events whose data is no jsonb: all that the database is known to refuse."""
    documents = [flush.events[place].data.decode() or None for place in places]
    cursor.execute("SELECT place, said FROM ingest_unreadable(%s::text[])", (documents,))
    return {places[at]: _not_storable(said) for at, said in cursor.fetchall()}


def _not_storable(said: str) -> InvalidEvent:
    return InvalidEvent("not_storable", "", f"{NOT_STORABLE} It said: {said}.")


def _insert_events(cursor: Cursor, events: list[Prepared], received_at: datetime) -> set[bytes]:
    ordered = sorted(events, key=attrgetter("project_id", "time_us", "uid"))
    cursor.execute(
        _EVENTS,
        {
            "project": ordered[0].project_id,
            "times": PackedTimes.of([event.time_us for event in ordered]),
            "uids": PackedUuids.of([event.uid for event in ordered]),
            "types": [event.type for event in ordered],
            "sources": [event.source for event in ordered],
            "subjects": [event.subject for event in ordered],
            "keys": [event.key for event in ordered],
            "partitions": [event.partition for event in ordered],
            "ids": [event.id if event.identified else None for event in ordered],
            "attributes": [event.attributes.decode() or None for event in ordered],
            "values": [event.value for event in ordered],
            "data": [event.data.decode() or None for event in ordered],
            "received_at": received_at,
        },
    )
    return {uid.bytes for (uid,) in cursor.fetchall()}
