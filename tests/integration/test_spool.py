"""The spool behind the writer: what is answered while the database is away, and what is stored when it is back."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from django.db import connections

from events.errors import Overloaded
from events.requests import IngestOptions
from events.spool import all_waiting, open_own
from events.writer import Writer
from tests.support.databases import server_url, with_database
from tests.support.doors import Door
from tests.support.ingest import Books, Tenant, post, route
from tests.support.proxy import LossyProxy
from tests.support.waiting import wait_for
from tests.support.writers import SECONDS, Connection, Database, blocked, send, waiting_on_locks

Make = Callable[..., Writer]
TINY = b'{"type":"t","id":"tiny","data":{"tiny":1e-99999}}'


@pytest.fixture
def make(books: Books, tmp_path: Path) -> Iterator[Make]:
    """Writers with a spool, closed at the end."""
    made: list[Writer] = []

    def make(max_bytes: int = 10_000_000, **options: object) -> Writer:
        spool = open_own(tmp_path, "default", max_bytes=max_bytes)
        writer = Writer(spool=spool, **options)  # type: ignore[arg-type]
        made.append(writer)
        return writer

    yield make
    for writer in made:
        writer.close()


@pytest.fixture
def database() -> Database:
    return Database()


@pytest.fixture
def cut_off(make: Make, database: Database) -> Writer:
    """A writer that spools."""
    writer = make(connect=database.connect)
    wait_for(lambda: writer.healthy, seconds=SECONDS, what="the writer to connect")
    database.cut()
    wait_for(lambda: writer.spooling, seconds=SECONDS, what="the breaker to open")
    return writer


def events(numbers: range) -> list[dict[str, object]]:
    return [{"type": "t", "id": f"e-{number}"} for number in numbers]


def keyed(key: str, *, whole: bool = False) -> IngestOptions:
    return IngestOptions("json", "", "reject" if whole else "store", False, key)


def drained(folder: Path) -> None:
    wait_for(lambda: all_waiting(folder).entries == 0, seconds=SECONDS, what="the spool to be empty")


def test_an_outage_is_answered_spooled_and_stored_once_afterwards(
    make: Make, database: Database, tenant: Tenant, books: Books, tmp_path: Path
) -> None:
    route(tenant.id, ["t"])
    writer = make(connect=database.connect)
    assert not send(writer, tenant, events(range(3))).result(SECONDS).spooled
    database.cut()
    body = b'[{"type":"t","id":"e-2"},{"type":"t","id":"e-3"},{"type":"t"},{"type":"t","colour":1}]'
    spooled = send(writer, tenant, body).result(SECONDS)
    assert (spooled.spooled, spooled.accepted, spooled.duplicates) == (True, 3, 0)
    assert spooled.ids[:2] == ["e-2", "e-3"]
    assert [each.error.code for each in spooled.rejections] == ["unknown_field"]
    assert (writer.healthy, writer.ready, writer.spooling) == (False, True, True)
    began = time.monotonic()
    assert send(writer, tenant, events(range(4, 5))).result(SECONDS).spooled
    assert time.monotonic() - began < 1.0, "with the breaker open nobody waits for the database"
    assert books.stored(tenant.id) == 3
    back_at = books.value("SELECT clock_timestamp()")
    database.mend()
    wait_for(
        lambda: writer.healthy or send(writer, tenant, {"type": "probe"}),
        seconds=5,
        what="the breaker to close",
    )
    drained(tmp_path)
    found = {row["event_id"] or str(row["uid"]): row for row in books.events(tenant.id) if row["type"] == "t"}
    assert set(found) == {"e-0", "e-1", "e-2", "e-3", "e-4", spooled.ids[2]}
    assert found["e-3"]["received_at"] >= back_at, "the clock that counts is the database's, when it stores"
    assert found["e-3"]["time"] < back_at
    assert books.counts(tenant.id)["t"] == (6, 1, 1)
    assert len(books.rejected(tenant.id)) == 1
    assert len(books.logged(tenant.id)) == 6


def test_a_new_flush_goes_straight_to_the_database_while_the_spool_drains(
    cut_off: Writer, database: Database, tenant: Tenant, books: Books, tmp_path: Path
) -> None:
    waiting = [send(cut_off, tenant, events(range(at, at + 4_000))) for at in range(0, 20_000, 4_000)]
    assert all(each.result(SECONDS).spooled for each in waiting)
    database.mend()
    wait_for(lambda: not cut_off.spooling, seconds=SECONDS, what="the breaker to close")
    direct = send(cut_off, tenant, {"type": "new", "id": "new"}).result(SECONDS)
    assert (direct.accepted, direct.spooled) == (1, False)
    assert all_waiting(tmp_path).entries > 0, "all was drained before: nothing was shown"
    drained(tmp_path)
    assert books.stored(tenant.id) == 20_001


def test_what_waits_when_the_process_ends_is_stored_by_the_next(
    cut_off: Writer, database: Database, make: Make, tenant: Tenant, books: Books, tmp_path: Path
) -> None:
    futures = [send(cut_off, tenant, events(range(at, at + 10))) for at in range(0, 50, 10)]
    cut_off.close()
    assert all(each.result(0).spooled for each in futures)
    database.mend()
    make(connect=database.connect)
    drained(tmp_path)
    assert books.stored(tenant.id) == 50
    assert books.counts(tenant.id) == {"t": (50, 0, 0)}


def test_a_running_process_stores_what_a_dead_one_left(
    make: Make, cut_off: Writer, tenant: Tenant, books: Books, tmp_path: Path
) -> None:
    other = make()  # another slot, and the database is there for it
    assert send(cut_off, tenant, events(range(10))).result(SECONDS).spooled
    assert books.stored(tenant.id) == 0
    cut_off.close()
    wait_for(lambda: books.stored(tenant.id) == 10, seconds=SECONDS, what="the orphan to be stored")
    drained(tmp_path)
    assert other.healthy


@pytest.fixture
def proxy(books: Books) -> Iterator[LossyProxy]:
    name = connections["default"].settings_dict["NAME"]
    with LossyProxy(with_database(server_url(), name)) as proxy:
        yield proxy


def test_a_flush_that_had_committed_before_it_was_spooled_is_stored_once(
    proxy: LossyProxy, make: Make, tenant: Tenant, books: Books, tmp_path: Path
) -> None:
    """COMMIT was carried out, its answer lost, and then the database was away."""
    away = False

    def connect(using: str) -> Connection:
        if away:
            raise psycopg.OperationalError("connection refused")
        return psycopg.connect(proxy.url, autocommit=True, prepare_threshold=1)

    writer = make(connect=connect)
    assert send(writer, tenant, {"type": "t"}).result(SECONDS).accepted == 1
    proxy.lose_answers(1)
    away = True
    verdicts = send(writer, tenant, [{"type": "t"}, {"type": "t", "id": "a"}]).result(SECONDS)
    assert (verdicts.spooled, proxy.lost) == (True, 1)
    assert books.stored(tenant.id) == 3, "its COMMIT was not carried out: nothing was shown"
    away = False
    drained(tmp_path)
    assert books.stored(tenant.id) == 3
    assert books.counts(tenant.id) == {"t": (3, 0, 0)}


@pytest.mark.parametrize("receipts", ["kept", "pruned"])
def test_an_entry_stored_twice_counts_once(
    cut_off: Writer,
    database: Database,
    make: Make,
    tenant: Tenant,
    books: Books,
    tmp_path: Path,
    receipts: str,
) -> None:
    """A process died after COMMIT and before it removed the entry; perhaps its machine was away for days."""
    route(tenant.id, ["t"])
    assert send(cut_off, tenant, [{"type": "t"}, {"type": "t", "id": "a"}]).result(SECONDS).spooled
    cut_off.close()
    spool = open_own(tmp_path, "default")
    entry = spool.oldest()
    assert entry is not None
    spool.close()
    database.mend()
    make(connect=database.connect)
    drained(tmp_path)
    if receipts == "pruned":
        books.execute("DELETE FROM ingest_flush")
        books.execute("DELETE FROM event_identity")
    spool = open_own(tmp_path, "default")
    spool.append(entry.id, entry.events, entry.payload)
    spool.close()
    drained(tmp_path)
    assert books.stored(tenant.id) == 2
    assert books.counts(tenant.id)["t"][0] == 2
    assert len(books.logged(tenant.id)) == 2


def test_what_the_database_refuses_later_is_kept_as_rejected(
    cut_off: Writer, database: Database, tenant: Tenant, books: Books, tmp_path: Path
) -> None:
    """Its sender was told 202, so it must be found; also of a request that wanted all or nothing."""
    some = send(cut_off, tenant, b'[{"type":"t","id":"good"},' + TINY + b"]").result(SECONDS)
    whole = send(cut_off, tenant, b'[{"type":"u","id":"fine"},' + TINY + b"]", whole=True).result(SECONDS)
    assert (some.accepted, whole.accepted) == (2, 2)
    database.mend()
    drained(tmp_path)
    assert [row["event_id"] for row in books.events(tenant.id) if row["type"] != "probe"] == ["good"]
    found = [(row["code"], row["type"]) for row in books.rejected(tenant.id)]
    assert sorted(found) == [("not_storable", "t"), ("not_storable", "t"), ("not_stored", "u")]
    raws = [bytes(row["raw"]) for row in books.rejected(tenant.id) if row["type"] == "t"]
    assert all(b'"id":"tiny"' in raw and b"1e-99999" in raw for raw in raws)


def test_all_refused_is_422_and_their_copies_are_kept_too(
    cut_off: Writer, database: Database, tenant: Tenant, books: Books, tmp_path: Path
) -> None:
    verdicts = send(cut_off, tenant, {"type": "t", "colour": 1}).result(SECONDS)
    assert (verdicts.accepted, len(verdicts.rejections)) == (0, 1)
    database.mend()
    drained(tmp_path)
    assert [row["code"] for row in books.rejected(tenant.id)] == ["unknown_field"]


def test_a_full_spool_refuses_says_when_to_come_again_and_recovers(
    make: Make, database: Database, tenant: Tenant, books: Books, tmp_path: Path
) -> None:
    writer = make(connect=database.connect, max_bytes=600)
    wait_for(lambda: writer.healthy, seconds=SECONDS, what="the writer to connect")
    database.cut()
    kept = 0
    refusal: Overloaded | None = None
    for number in range(100):
        try:
            assert send(writer, tenant, {"type": "t", "id": f"e-{number}"}).result(SECONDS).spooled
            kept += 1
        except Overloaded as error:
            refusal = error
            break
    assert refusal is not None
    assert refusal.retry_after >= 1
    assert "spool is full" in refusal.detail
    assert 0 < kept < 100
    assert not writer.ready
    database.mend()
    drained(tmp_path)
    assert send(writer, tenant, {"type": "t", "id": "after"}).result(SECONDS).accepted == 1
    assert books.stored(tenant.id) == kept + 1


def test_an_entry_that_cannot_be_stored_holds_up_no_other_and_stays(
    cut_off: Writer, database: Database, make: Make, tenant: Tenant, books: Books, tmp_path: Path
) -> None:
    assert send(cut_off, tenant, {"type": "t", "id": "a"}).result(SECONDS).spooled
    cut_off.close()
    spool = open_own(tmp_path, "default")
    entry = spool.oldest()
    assert entry is not None
    spool.remove(entry)
    damaged = type(entry.id)(int=7)
    spool.append(damaged, 1, entry.payload[:-4])
    spool.append(entry.id, entry.events, entry.payload)
    spool.close()
    database.mend()
    make(connect=database.connect)
    wait_for(lambda: books.stored(tenant.id) == 1, seconds=SECONDS, what="the sound entry to be stored")
    wait_for(lambda: all_waiting(tmp_path).entries == 1, seconds=SECONDS, what="one to be left")
    wait_for(lambda: all_waiting(tmp_path).failed == 1, seconds=SECONDS, what="it to be marked")


def test_a_database_that_is_blocked_for_long_is_answered_by_the_spool(
    make: Make, tenant: Tenant, books: Books, tmp_path: Path
) -> None:
    writer = make()
    with blocked("LOCK TABLE rollup_ledger IN ACCESS EXCLUSIVE MODE"):
        future = send(writer, tenant, events(range(3)))
        waiting_on_locks(1, "the flush to be held")
        assert future.result(SECONDS).spooled
    drained(tmp_path)
    assert books.stored(tenant.id) == 3


def test_a_repeated_key_is_stored_once_though_the_first_is_still_in_the_spool(
    cut_off: Writer, database: Database, make: Make, tenant: Tenant, books: Books, tmp_path: Path
) -> None:
    body = [{"type": "t"}, {"type": "t"}]
    first = send(cut_off, tenant, body, options=keyed("k")).result(SECONDS)
    second = send(cut_off, tenant, body, options=keyed("k")).result(SECONDS)
    assert [first.spooled, second.spooled] == [True, True]
    assert first.ids == second.ids
    direct = send(make(), tenant, body, options=keyed("k")).result(SECONDS)
    assert (direct.accepted, direct.ids) == (2, first.ids)
    database.mend()
    drained(tmp_path)
    assert books.stored(tenant.id) == 2
    assert books.counts(tenant.id) == {"t": (2, 0, 0)}


def test_another_body_under_a_spooled_key_is_kept_as_rejected(
    cut_off: Writer, database: Database, tenant: Tenant, books: Books, tmp_path: Path
) -> None:
    """Both were told 202; only the first can stand, and nothing may be lost in silence."""
    assert send(cut_off, tenant, {"type": "t", "id": "a"}, options=keyed("k")).result(SECONDS).spooled
    assert send(cut_off, tenant, {"type": "u", "id": "b"}, options=keyed("k")).result(SECONDS).spooled
    database.mend()
    drained(tmp_path)
    assert [row["event_id"] for row in books.events(tenant.id)] == ["a"]
    (row,) = books.rejected(tenant.id)
    assert (row["code"], row["type"]) == ("idempotency_key_reused", "u")
    assert b'"id":"b"' in bytes(row["raw"])


def test_a_spooled_request_is_answered_from_its_record_once_it_is_stored(
    cut_off: Writer, database: Database, tenant: Tenant, tmp_path: Path
) -> None:
    spooled = send(cut_off, tenant, {"type": "t"}, options=keyed("k")).result(SECONDS)
    database.mend()
    drained(tmp_path)
    wait_for(lambda: not cut_off.spooling, seconds=SECONDS, what="the breaker to close")
    again = send(cut_off, tenant, {"type": "t"}, options=keyed("k")).result(SECONDS)
    assert (again.spooled, again.accepted, again.ids) == (False, 1, spooled.ids)
    assert again.replay_of


@pytest.mark.parametrize("name", ["gateway", "drf"])
def test_a_door_answers_202_and_says_what_it_does_not_know(
    name: str,
    doors: dict[str, Door],
    cut_off: Writer,
    database: Database,
    tenant: Tenant,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr("events.services.get_writer", lambda _using: cut_off)
    answer = post(doors[name], tenant.key, [{"type": "t", "id": "a"}, {"type": "t", "colour": 1}])
    assert answer.status == 202
    members = answer.json
    assert (members["durability"], members["accepted"], members["duplicates"]) == ("spooled", 1, None)
    assert (members["rejected"], members["ids"]) == (1, ["a", None])
    database.mend()
    drained(tmp_path)


def test_the_same_flush_may_be_drained_by_two_processes_at_once(
    cut_off: Writer, make: Make, tenant: Tenant, books: Books, tmp_path: Path
) -> None:
    """As when a file was copied: receipts decide, not who holds the file."""
    assert send(cut_off, tenant, [{"type": "t"}] * 500).result(SECONDS).spooled
    spool = cut_off._spool
    assert spool is not None
    entry = spool.oldest()
    assert entry is not None
    others = [make(), make()]
    for other in others:
        assert other._spool is not None
        other._spool.append(entry.id, entry.events, entry.payload)
    wait_for(lambda: all_waiting(tmp_path).entries == 1, seconds=SECONDS, what="both to be drained")
    spool.remove(entry)
    assert books.stored(tenant.id) == 500
    assert books.counts(tenant.id) == {"t": (500, 0, 0)}
