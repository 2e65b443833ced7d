"""The same ids in two flushes, on both sides of an identity rotation."""

import secrets
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
import uuid_utils.compat

from events import storage
from events.decoding import Event
from events.flushes import Flush, Outcome
from events.packed import register_packed_arrays
from events.preparing import Prepared, prepare, time_bounds
from events.storage import Store, store_flush
from events.submissions import Submission
from events.tail import TailSampler
from tests.support.databases import ScratchDatabase
from tests.support.processes import Process
from tests.support.stack import Seeded, Stack
from tests.support.waiting import wait_for

EVENTS = 50
WAITING = """
SELECT count(*) FROM pg_locks JOIN pg_database AS d ON d.oid = database
WHERE NOT granted AND locktype = 'advisory' AND datname = current_database()
"""
GENERATION = "SELECT identity_generation FROM ingest_epoch"


def test_two_flushes_of_the_same_ids_across_a_rotation_store_each_event_once(
    stack: Stack, project: Seeded, database: ScratchDatabase, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    held, release = threading.Event(), threading.Event()
    monkeypatch.setattr(storage, "failpoint", _pause_first_commit(held, release))
    ids = [f"{secrets.token_hex(8)}-{number}" for number in range(EVENTS)]
    generation = database.value(GENERATION)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(_flush, database, project, ids, 1_000)
        try:
            assert held.wait(10), "the first flush did not come to its COMMIT"
            rotation = _start_rotation(stack)
            wait_for(lambda: _waits_or_has(database, 1, generation), seconds=20, what="the rotation")
            second = pool.submit(_flush, database, project, list(reversed(ids)), 2_000)
            wait_for(lambda: second.done() or _waiting(database) >= 2, seconds=10, what="the second flush")
        finally:
            release.set()
        _require_once(database, project, first, second)
    assert rotation.wait_until_dead() == 0, rotation.tail()
    assert database.value(GENERATION) == generation + 1


def _require_once(
    database: ScratchDatabase, project: Seeded, first: "Future[Outcome]", second: "Future[Outcome]"
) -> None:
    assert first.result(20).duplicates == set()
    assert second.result(20).duplicates == set(range(EVENTS))
    stored = database.rows(
        "SELECT event_id, count(*) FROM event WHERE project_id = %s GROUP BY 1", (project.project_id,)
    )
    assert len(stored) == EVENTS
    assert all(count == 1 for _, count in stored)


def _pause_first_commit(held: threading.Event, release: threading.Event) -> Callable[[str], None]:
    def failpoint(name: str) -> None:
        if name == "ingest.before_commit" and not held.is_set():
            held.set()
            release.wait(15)

    return failpoint


def _start_rotation(stack: Stack) -> Process:
    return stack.start_module("tests.support.rotate")


def _waiting(database: ScratchDatabase) -> int:
    count: int = database.value(WAITING)
    return count


def _waits_or_has(database: ScratchDatabase, count: int, generation: int) -> bool:
    """Without its lock a rotation would not wait: then it has happened."""
    return _waiting(database) >= count or database.value(GENERATION) > generation


def _flush(database: ScratchDatabase, project: Seeded, ids: list[str], seconds_later: int) -> Outcome:
    """Each flush gives its events other times, so that only identity knows them again."""
    prepared = [_prepared(project, identifier, place, seconds_later) for place, identifier in enumerate(ids)]
    submission = Submission(
        project_id=project.project_id,
        key_id=None,
        request_id="rotation",
        prepared=prepared,
        rejections=[],
        frames=[b"{}"] * len(prepared),
        size=1,
        arrived=0.0,
        whole=False,
        logged=True,
        deliver=lambda answer: None,
    )
    with psycopg.connect(database.url, autocommit=True, prepare_threshold=1) as connection:
        register_packed_arrays(connection)
        return store_flush(connection, Flush([submission]), Store(uuid_utils.compat.uuid7(), TailSampler()))


def _prepared(project: Seeded, identifier: str, place: int, seconds_later: int) -> Prepared:
    now_us = 1_790_000_000_000_000 + seconds_later * 1_000_000
    bounds = time_bounds(now_us=now_us, retention_days=90)
    event = Event(type="rotated", id=identifier)
    return prepare(event, position=place, project_id=project.project_id, now_us=now_us, bounds=bounds)
