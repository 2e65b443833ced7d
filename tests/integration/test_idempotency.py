"""Idempotency-Key at every door: the same answer again, and each event once whatever the retry met."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future

import psycopg
import pytest
from django.db import connections

from events.connections import conninfo
from events.errors import RequestRefused
from events.idempotency import keyed_request
from events.requests import IngestOptions
from events.submissions import Verdicts
from events.writer import Writer
from tests.support.databases import server_url, with_database
from tests.support.doors import Answer, Door
from tests.support.ingest import Books, Tenant, make_tenant, post
from tests.support.proxy import LossyProxy
from tests.support.waiting import wait_for
from tests.support.writers import SECONDS, Connection, no_flush_begins, send, waiting_on_locks

Make = Callable[..., Writer]
MIXED = [{"type": "t", "id": "a"}, {"type": "t"}, {"type": "t", "colour": 1}, {"type": "t", "id": "a"}]


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


def keyed_post(door: Door, tenant: Tenant, events: object, key: str = "k-1", query: str = "") -> Answer:
    return post(door, tenant.key, events, query=query, idempotency_key=key)


def replayed(answer: Answer) -> bool:
    return answer.headers.get("idempotent-replayed") == "true"


def forget_keys(books: Books) -> None:
    books.execute("DELETE FROM idempotency")


@pytest.mark.parametrize(
    ("events", "query", "status"),
    [
        pytest.param([{"type": "t"}, {"type": "t", "id": "x"}], "", 200, id="all stored"),
        pytest.param(MIXED, "", 207, id="some refused"),
        pytest.param([{"type": "t", "colour": 1}], "", 422, id="all refused"),
        pytest.param(MIXED, "on_error=reject", 422, id="all or nothing"),
        pytest.param(
            b'[{"type":"t"},{"type":"t","data":{"tiny":1e-99999}}]',
            "on_error=reject",
            422,
            id="by the database",
        ),
    ],
)
def test_a_repeated_request_is_answered_as_the_first_was(
    door: Door, tenant: Tenant, books: Books, events: object, query: str, status: int
) -> None:
    first = keyed_post(door, tenant, events, query=query)
    stored, kept = books.stored(tenant.id), len(books.rejected(tenant.id))
    again = keyed_post(door, tenant, events, query=query)
    assert (first.status, again.status) == (status, status)
    assert again.body == first.body
    assert (replayed(first), replayed(again)) == (False, True)
    assert (books.stored(tenant.id), len(books.rejected(tenant.id))) == (stored, kept)
    row = books.rows("SELECT * FROM idempotency WHERE project_id = %(id)s", {"id": tenant.id})[0]
    members = first.json
    assert row["status"] == status
    assert [row[name] for name in ("accepted", "duplicates", "rejected")] == [
        members[name] for name in ("accepted", "duplicates", "rejected")
    ]


def test_a_door_repeats_what_another_answered(doors: dict[str, Door], tenant: Tenant, books: Books) -> None:
    first = keyed_post(doors["gateway"], tenant, MIXED)
    again = keyed_post(doors["drf"], tenant, MIXED)
    assert (again.status, again.body, replayed(again)) == (first.status, first.body, True)


def test_another_body_under_the_same_key_is_refused(door: Door, tenant: Tenant, books: Books) -> None:
    assert keyed_post(door, tenant, {"type": "t"}).status == 200
    for events, query in (({"type": "u"}, ""), ({"type": "t"}, "on_error=reject")):
        answer = keyed_post(door, tenant, events, query=query)
        assert (answer.status, answer.json["code"]) == (422, "idempotency_key_reused")
    assert books.stored(tenant.id) == 1


def test_a_key_is_a_projects_own(door: Door, tenant: Tenant, books: Books) -> None:
    other = make_tenant()
    for each in (tenant, other):
        answer = keyed_post(door, each, {"type": "t"})
        assert (answer.status, replayed(answer)) == (200, False)
    assert (books.stored(tenant.id), books.stored(other.id)) == (1, 1)


def test_a_dry_run_neither_records_nor_repeats(door: Door, tenant: Tenant, books: Books) -> None:
    assert keyed_post(door, tenant, {"type": "t"}, query="dry_run=1").json["dry_run"] is True
    first = keyed_post(door, tenant, {"type": "t"})
    assert (first.status, replayed(first)) == (200, False)
    dry = keyed_post(door, tenant, {"type": "u"}, query="dry_run=1")
    assert (dry.status, replayed(dry)) == (200, False)


@pytest.mark.parametrize("key", ["", "x" * 256, "a b", "tab\tin", "ü"])
def test_a_key_out_of_its_limits_is_refused(door: Door, tenant: Tenant, books: Books, key: str) -> None:
    answer = keyed_post(door, tenant, {"type": "t"}, key=key)
    assert (answer.status, answer.json["code"]) == (400, "invalid_header")
    assert "Idempotency-Key" in answer.json["detail"]
    assert books.stored(tenant.id) == 0


def test_the_longest_key_is_taken(door: Door, tenant: Tenant, books: Books) -> None:
    assert keyed_post(door, tenant, {"type": "t"}, key="~" * 255).status == 200


def test_a_retry_after_the_answer_was_forgotten_is_stored_once(
    door: Door, tenant: Tenant, books: Books
) -> None:
    """Its id-less events have ids made of the key, so identity knows them."""
    first = keyed_post(door, tenant, [{"type": "t"}, {"type": "t"}])
    forget_keys(books)
    again = keyed_post(door, tenant, [{"type": "t"}, {"type": "t"}])
    assert (first.json["accepted"], again.json["accepted"], again.json["duplicates"]) == (2, 0, 2)
    assert first.json["ids"] == again.json["ids"]
    assert len(set(first.json["ids"])) == 2
    assert books.stored(tenant.id) == 2


def keyed_options(*, whole: bool = False) -> IngestOptions:
    return IngestOptions("json", "", "reject" if whole else "store", False, "k-1")


def test_a_request_in_flight_in_this_process_is_refused_at_once(
    make: Make, tenant: Tenant, books: Books
) -> None:
    writer = make()
    with no_flush_begins():
        first = send(writer, tenant, {"type": "t"}, options=keyed_options())
        with pytest.raises(RequestRefused) as refused:
            send(writer, tenant, {"type": "t"}, options=keyed_options())
        assert (refused.value.status, refused.value.code) == (409, "idempotency_in_flight")
    assert first.result(SECONDS).accepted == 1
    again = send(writer, tenant, {"type": "t"}, options=keyed_options()).result(SECONDS)
    assert (again.accepted, bool(again.replay_of)) == (1, True)


def other_process_claims(connection: Connection, tenant: Tenant) -> None:
    """As a flush elsewhere does, up to but without its COMMIT."""
    keyed = keyed_request(project_id=tenant.id, options=keyed_options(), body=b'{"type":"t"}', frames=())
    assert keyed is not None
    connection.execute(
        "INSERT INTO idempotency (project_id, key_hash, body_hash, flush_id, created_at, status, answer)"
        " VALUES (%s, encode(%s, 'hex')::uuid, %s, gen_random_uuid(), now(), 200, %s)",
        (tenant.id, keyed.key, keyed.body, b"\x95\x01\x00\xa1r\x91\xa1i\x90"),
    )


def test_a_request_in_flight_elsewhere_is_waited_for_and_repeated(
    make: Make, tenant: Tenant, books: Books
) -> None:
    writer = make()
    with psycopg.connect(conninfo()) as elsewhere:
        other_process_claims(elsewhere, tenant)
        waiting = send(writer, tenant, b'{"type":"t"}', options=keyed_options())
        bystander = send(writer, tenant, {"type": "u"})
        waiting_on_locks(1, "the flush to wait for the key")
        elsewhere.commit()
    verdicts = waiting.result(SECONDS)
    assert (verdicts.accepted, verdicts.ids, verdicts.replay_of) == (1, ["i"], "r")
    assert bystander.result(SECONDS).accepted == 1
    assert [row["type"] for row in books.events(tenant.id)] == ["u"]


def test_a_request_that_stays_in_flight_elsewhere_is_refused_and_holds_up_nobody_for_long(
    make: Make, tenant: Tenant, books: Books
) -> None:
    writer = make()
    with psycopg.connect(conninfo()) as elsewhere:
        other_process_claims(elsewhere, tenant)
        with no_flush_begins():
            waiting = send(writer, tenant, b'{"type":"t"}', options=keyed_options())
            bystanders = [send(writer, tenant, {"type": "u"}) for _ in range(3)]
        with pytest.raises(RequestRefused) as refused:
            waiting.result(SECONDS)
        assert (refused.value.status, refused.value.code) == (409, "idempotency_in_flight")
        assert [each.result(SECONDS).accepted for each in bystanders] == [1, 1, 1]
        assert books.value("SHOW lock_timeout") == "2s"
    assert send(writer, tenant, b'{"type":"t"}', options=keyed_options()).result(SECONDS).accepted == 1


@pytest.fixture
def proxy(books: Books) -> Iterator[LossyProxy]:
    name = connections["default"].settings_dict["NAME"]
    with LossyProxy(with_database(server_url(), name)) as proxy:
        yield proxy


def test_a_flush_whose_commit_was_not_answered_gives_each_request_its_own_answer(
    proxy: LossyProxy, make: Make, tenant: Tenant, books: Books
) -> None:
    """New, repeated and reused keys in one flush, beside requests without: rebuilt from rows."""

    def connect(using: str) -> Connection:
        return psycopg.connect(proxy.url, autocommit=True, prepare_threshold=1)

    def ask(events: object, key: str = "") -> "Future[Verdicts]":
        return send(writer, tenant, events, options=IngestOptions("json", "", "store", False, key))

    writer = make(connect=connect)
    old = ask([{"type": "t"}, {"type": "t", "id": "known"}], "old").result(SECONDS)
    broken = b'[{"type":"t"},{"type":"t","id":"known"},{"type":"t","data":{"tiny":1e-99999}}]'
    with no_flush_begins():
        ask({"type": "first"})  # its flush is held, so that the others share one
        wait_for(lambda: writer.depth[0] >= 1, seconds=SECONDS, what="the first request to be taken")
        futures = [
            ask([{"type": "t"}, {"type": "t", "id": "known"}], "old"),
            ask({"type": "t", "id": "known"}),
            ask(broken, "new"),
            ask({"type": "other"}, "old-2"),
        ]
        proxy.lose_answers(2)
    replay, plain, new, last = (future.result(SECONDS) for future in futures)
    assert proxy.lost == 2
    assert (replay.accepted, replay.ids, bool(replay.replay_of)) == (2, old.ids, True)
    assert (plain.accepted, plain.duplicates) == (0, 1)
    assert (new.accepted, new.duplicates, new.replay_of) == (1, 1, "")
    assert [(each.position, each.error.code) for each in new.rejections] == [(2, "not_storable")]
    assert last.accepted == 1
    again = ask(broken, "new").result(SECONDS)
    assert again.ids == new.ids
    assert [each.error.message for each in again.rejections] == [
        each.error.message for each in new.rejections
    ]
    assert books.counts(tenant.id) == {"t": (3, 2, 1), "first": (1, 0, 0), "other": (1, 0, 0)}


def test_two_flushes_with_the_same_keys_in_opposite_order_do_not_deadlock(
    make: Make, tenant: Tenant, books: Books, caplog: pytest.LogCaptureFixture
) -> None:
    writers = [make(), make()]
    keys = [f"k-{number}" for number in range(200)]
    with no_flush_begins():
        futures = [
            send(
                writer,
                tenant,
                {"type": "t"},
                options=IngestOptions("json", "", "store", False, key),
                using=str(at),
            )
            for at, writer in enumerate(writers)
            for key in keys[:: 1 if at else -1]
        ]
    verdicts = [future.result(SECONDS) for future in futures]
    assert sum(not each.replay_of for each in verdicts) == 200
    assert books.stored(tenant.id) == 200
    assert "flush_retried" not in caplog.text
