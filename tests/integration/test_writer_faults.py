"""What the writer promises when the database, the network or another flush gets in its way."""

import time
from collections.abc import Callable, Iterator

import psycopg
import pytest
from django.db import connections

from events.connections import connect_writer, conninfo
from events.errors import OutcomeUnknown, Overloaded
from events.rotation import rotate_identity
from events.writer import Writer
from tests.support.databases import server_url, with_database
from tests.support.doors import Door
from tests.support.ingest import Books, Tenant, post, route
from tests.support.proxy import LossyProxy
from tests.support.waiting import wait_for
from tests.support.writers import (
    SECONDS,
    Connection,
    Database,
    Running,
    blocked,
    no_flush_begins,
    send,
    waiting_on_locks,
)

Make = Callable[..., Writer]
HOLD_FINISH = "LOCK TABLE rollup_ledger IN ACCESS EXCLUSIVE MODE"
PATIENT = "SET lock_timeout = '30s'"  # these tests wait for locks on purpose


@pytest.fixture
def make(books: Books) -> Iterator[Make]:
    """Writers that are closed at the end."""
    made: list[Writer] = []

    def make(**options: object) -> Writer:
        writer = Writer(**options)  # type: ignore[arg-type]
        made.append(writer)
        return writer

    yield make
    for writer in made:
        writer.close()


def connect_patiently(using: str) -> Connection:
    connection = connect_writer(using)
    connection.execute(PATIENT)
    return connection


def events(numbers: range) -> list[dict[str, object]]:
    return [{"type": "t", "id": f"e-{number}"} for number in numbers]


def stored_once(books: Books, tenant: Tenant) -> bool:
    query = "SELECT count(*) = count(DISTINCT event_id) FROM event WHERE project_id = %(id)s"
    return bool(books.value(query, {"id": tenant.id}))


def test_two_writers_with_the_same_ids_in_opposite_order_store_each_once(
    make: Make, tenant: Tenant, books: Books, caplog: pytest.LogCaptureFixture
) -> None:
    writers = [make(connect=connect_patiently), make(connect=connect_patiently)]
    for start in range(0, 20_000, 4_000):
        numbers = range(start, start + 4_000)
        with no_flush_begins():
            futures = [
                send(writers[0], tenant, events(numbers)),
                send(writers[1], tenant, events(numbers[::-1])),
            ]
            waiting_on_locks(2, "both flushes to be held at the start")
        verdicts = [future.result(SECONDS) for future in futures]
        assert sum(each.accepted for each in verdicts) == 4_000
        assert sum(each.duplicates for each in verdicts) == 4_000
        assert [len(each.ids) for each in verdicts] == [4_000, 4_000]
    assert books.stored(tenant.id) == 20_000
    assert stored_once(books, tenant)
    assert books.counts(tenant.id) == {"t": (20_000, 20_000, 0)}
    assert "flush_retried" not in caplog.text, "a deadlock was survived, not avoided"


def test_two_writers_with_the_same_ids_do_not_deadlock_mid_flush(
    make: Make, tenant: Tenant, books: Books
) -> None:
    """The second finds the first's keys uncommitted, waits for its COMMIT, and calls them duplicates."""
    one, other = make(connect=connect_patiently), make(connect=connect_patiently)
    with blocked(HOLD_FINISH):
        first = send(one, tenant, events(range(200)))
        waiting_on_locks(1, "the first flush to be held before its end")
        second = send(other, tenant, events(range(300))[::-1])
        waiting_on_locks(2, "the second flush to meet the first's keys")
    assert (first.result(SECONDS).accepted, second.result(SECONDS).duplicates) == (200, 200)
    assert second.result(SECONDS).accepted == 100
    assert books.stored(tenant.id) == 300


def test_a_flush_that_meets_a_rotation_stores_each_id_once(make: Make, tenant: Tenant, books: Books) -> None:
    """Without EPOCH the rotation passes the open flush, and the next flush cannot see its keys."""
    one, other = make(connect=connect_patiently), make(connect=connect_patiently)
    with blocked(HOLD_FINISH):
        first = send(one, tenant, events(range(100)))
        waiting_on_locks(1, "the first flush to be held before its end")
        rotation = Running(lambda: rotate(force=True))
        wait_for(
            lambda: rotation.done or _exclusive_waits(books), seconds=SECONDS, what="the rotation to be tried"
        )
        second = send(other, tenant, events(range(100)))
        waiting_on_locks(2, "the second flush to be held")
    rotation.result()
    verdicts = [first.result(SECONDS), second.result(SECONDS)]
    assert sorted((each.accepted, each.duplicates) for each in verdicts) == [(0, 100), (100, 0)]
    assert books.stored(tenant.id) == 100


def rotate(*, force: bool) -> None:
    try:
        rotate_identity(force=force)
    finally:
        connections["default"].close()


def _exclusive_waits(books: Books) -> bool:
    query = (
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ExclusiveLock' AND NOT granted"
    )
    return bool(books.value(query))


def test_an_id_is_known_through_one_rotation_and_forgotten_after_two(
    make: Make, tenant: Tenant, books: Books
) -> None:
    writer = make()
    assert send(writer, tenant, events(range(10))).result(SECONDS).accepted == 10
    rotate(force=True)
    verdicts = send(writer, tenant, events(range(20))).result(SECONDS)
    assert (verdicts.accepted, verdicts.duplicates) == (10, 10)
    rotate(force=True)
    rotate(force=True)
    assert send(writer, tenant, events(range(20))).result(SECONDS).accepted == 20


@pytest.fixture
def proxy(books: Books) -> Iterator[LossyProxy]:
    name = connections["default"].settings_dict["NAME"]
    with LossyProxy(with_database(server_url(), name)) as proxy:
        yield proxy


@pytest.mark.parametrize("losses", [1, 3])
def test_a_commit_whose_answer_is_lost_is_stored_once_and_answered_as_it_was(
    proxy: LossyProxy, make: Make, tenant: Tenant, books: Books, losses: int
) -> None:
    def connect(using: str) -> Connection:
        return psycopg.connect(proxy.url, autocommit=True, prepare_threshold=1)

    writer = make(connect=connect)
    route(tenant.id, ["t"])
    assert send(writer, tenant, events(range(5))).result(SECONDS).accepted == 5
    proxy.lose_answers(losses)
    body = (
        b'[{"type":"t","id":"e-3"},{"type":"t","id":"e-7"},{"type":"t","id":"e-7"},{"type":"t"},'
        b'{"type":"t","data":{"tiny":1e-99999}},{"colour":1}]'
    )
    verdicts = send(writer, tenant, body).result(SECONDS)
    assert proxy.lost == losses
    assert (verdicts.accepted, verdicts.duplicates) == (2, 2)
    assert verdicts.ids[:3] == ["e-3", "e-7", "e-7"]
    assert [(each.position, each.error.code) for each in verdicts.rejections] == [
        (4, "not_storable"),
        (5, "unknown_field"),
    ]
    assert books.stored(tenant.id) == 7
    assert verdicts.ids[3] in {str(row["uid"]) for row in books.events(tenant.id)}
    assert books.counts(tenant.id) == {"t": (7, 2, 1), "": (0, 0, 1)}
    assert len(books.logged(tenant.id)) == 7
    assert len(books.rejected(tenant.id)) == 2


def test_a_database_that_is_away_is_said_within_the_deadline_and_then_at_once(
    make: Make, tenant: Tenant, books: Books
) -> None:
    database = Database()
    writer = make(connect=database.connect, flush_seconds=1.5)
    assert send(writer, tenant, events(range(1))).result(SECONDS).accepted == 1
    database.cut()
    started = time.monotonic()
    unknown = send(writer, tenant, events(range(1, 2)))
    refusal = wait_for(
        lambda: _refusal(writer, tenant), seconds=SECONDS, what="requests to be refused at once"
    )
    assert "not answering" in refusal.detail
    assert refusal.retry_after >= 1
    with pytest.raises(OutcomeUnknown):
        unknown.result(SECONDS)
    assert time.monotonic() - started < SECONDS / 2
    assert not writer.healthy
    database.mend()
    wait_for(lambda: writer.healthy, seconds=5, what="the writer to find the database again")
    assert send(writer, tenant, events(range(1, 2))).result(SECONDS).accepted == 1
    found = [row["event_id"] for row in books.events(tenant.id) if row["type"] == "t"]
    assert sorted(found) == ["e-0", "e-1"]


def _refusal(writer: Writer, tenant: Tenant) -> Overloaded | None:
    try:
        send(writer, tenant, {"type": "probe"})
    except Overloaded as refusal:
        return refusal
    return None


@pytest.mark.parametrize("name", ["gateway", "drf"])
def test_an_unknown_outcome_is_503_with_retry_after(
    name: str, doors: dict[str, Door], make: Make, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database()
    writer = make(connect=database.connect, flush_seconds=0.2)
    wait_for(lambda: writer.healthy, seconds=SECONDS, what="the writer to connect")
    assert post(doors[name], tenant.key, {"type": "t"}).status == 200  # the key is remembered from here
    database.cut()
    monkeypatch.setattr("events.services.get_writer", lambda _using: writer)
    answer = post(doors[name], tenant.key, {"type": "t"})
    assert (answer.status, answer.json["code"]) == (503, "outcome_unknown")
    assert int(answer.headers["retry-after"]) >= 1
    assert "same ids" in answer.json["detail"]


def test_a_connection_that_breaks_between_flushes_costs_nobody_anything(
    make: Make, tenant: Tenant, books: Books
) -> None:
    database = Database()
    writer = make(connect=database.connect)
    send(writer, tenant, events(range(1))).result(SECONDS)
    database.cut()
    database.mend()
    assert send(writer, tenant, events(range(3))).result(SECONDS).accepted == 2
    assert books.stored(tenant.id) == 3


def test_close_ends_in_time_and_answers_all_while_the_database_is_away(
    make: Make, tenant: Tenant, books: Books
) -> None:
    database = Database()
    writer = make(connect=database.connect, flush_seconds=0.5)
    with no_flush_begins():
        waiting = [send(writer, tenant, events(range(4_000))) for _ in range(4)]
        database.cut()
    writer.close()
    for future in waiting:
        with pytest.raises(OutcomeUnknown):
            future.result(0)


def test_a_flush_waits_for_no_lock_for_ever(make: Make, tenant: Tenant, books: Books) -> None:
    """lock_timeout ends the wait, and the flush is retried under its id."""
    writer = make()
    with blocked(HOLD_FINISH):
        future = send(writer, tenant, events(range(3)))
        waiting_on_locks(1, "the flush to be held")
        wait_for(lambda: _nobody_waits(), seconds=SECONDS, what="the flush to give up waiting", every=0.002)
    assert future.result(SECONDS).accepted == 3
    assert books.stored(tenant.id) == 3


def _nobody_waits() -> bool:
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with psycopg.connect(conninfo(), autocommit=True) as observer:
        row = observer.execute(query).fetchone()
    return row == (0,)


def test_the_writers_connection_lets_go_when_its_process_freezes(books: Books) -> None:
    with connect_writer("default") as connection:
        settings = [
            connection.execute(f"SHOW {name}").fetchone()
            for name in ("idle_in_transaction_session_timeout", "lock_timeout", "synchronous_commit")
        ]
    assert settings == [("5s",), ("2s",), ("on",)]
