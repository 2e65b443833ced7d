"""The group-commit writer: order, all or nothing, bounds, and what it does in how many statements."""

import os
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest

from events.errors import Overloaded
from events.limits import FLUSH_EVENTS
from events.writer import Writer, close_writers, get_writer
from tests.support.doors import Door
from tests.support.ingest import Books, Tenant, make_tenant, post, route
from tests.support.waiting import wait_for
from tests.support.writers import (
    SECONDS,
    Running,
    StatementCounter,
    connect_counting,
    no_flush_begins,
    send,
)

Make = Callable[..., Writer]
POISON = b'{"type":"t","id":"poison","data":{"tiny":1e-99999}}'


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


def events(count: int, prefix: str = "e") -> list[dict[str, object]]:
    return [{"type": "t", "id": f"{prefix}-{number}"} for number in range(count)]


def test_requests_commit_in_the_order_they_were_submitted(make: Make, tenant: Tenant, books: Books) -> None:
    writer, answered = make(), []
    size = FLUSH_EVENTS * 2 // 5
    with no_flush_begins():
        futures = [send(writer, tenant, events(size, str(number))) for number in range(5)]
        for number, future in enumerate(futures):
            future.add_done_callback(lambda _, number=number: answered.append(number))  # type: ignore[misc]
    assert [future.result(SECONDS).accepted for future in futures] == [size] * 5
    assert answered == sorted(answered)
    stamps = books.rows(
        "SELECT split_part(event_id, '-', 1)::int AS request, array_agg(DISTINCT received_at) AS stamps,"
        " count(DISTINCT xmin::text) AS transactions"
        " FROM event WHERE project_id = %(id)s GROUP BY 1 ORDER BY 1",
        {"id": tenant.id},
    )
    assert [row["transactions"] for row in stamps] == [1] * 5
    assert [len(row["stamps"]) for row in stamps] == [1] * 5
    assert all(earlier["stamps"] <= later["stamps"] for earlier, later in pairwise(stamps))
    assert len({row["stamps"][0] for row in stamps}) > 1, "all requests fit one flush: nothing was shown"


def test_requests_that_wait_share_one_commit(make: Make, tenant: Tenant, books: Books) -> None:
    writer = make()
    with no_flush_begins():
        first = send(writer, tenant, events(1, "first"))
        wait_for(lambda: writer.depth[0] == 1, seconds=SECONDS, what="the first request to be taken")
        futures = [send(writer, tenant, events(1, str(number))) for number in range(50)]
    for future in [first, *futures]:
        assert future.result(SECONDS).accepted == 1
    query = "SELECT count(DISTINCT xmin::text) FROM event WHERE project_id = %(id)s"
    assert books.value(query, {"id": tenant.id}) <= 2


def test_a_queue_full_of_events_refuses_and_recovers(make: Make, tenant: Tenant, books: Books) -> None:
    writer = make(queue_events=100)
    with no_flush_begins():
        waiting = [send(writer, tenant, events(50, prefix)) for prefix in "ab"]
        with pytest.raises(Overloaded) as refused:
            send(writer, tenant, events(1, "c"))
        assert refused.value.retry_after >= 1
    assert [future.result(SECONDS).accepted for future in waiting] == [50, 50]
    wait_for(lambda: writer.depth == (0, 0), seconds=SECONDS, what="the queue to be empty")
    assert send(writer, tenant, events(1, "c")).result(SECONDS).accepted == 1
    assert books.stored(tenant.id) == 101


def test_a_queue_full_of_bytes_refuses_and_recovers(make: Make, tenant: Tenant) -> None:
    writer = make(queue_bytes=10_000)
    padded = [{"type": "t", "data": {"padding": "x" * 6_000}}]
    with no_flush_begins():
        waiting = send(writer, tenant, padded)
        with pytest.raises(Overloaded):
            send(writer, tenant, padded)
    assert waiting.result(SECONDS).accepted == 1
    wait_for(lambda: writer.depth == (0, 0), seconds=SECONDS, what="the queue to be empty")
    assert send(writer, tenant, padded).result(SECONDS).accepted == 1


def test_refused_events_fill_the_queue_too(make: Make, tenant: Tenant) -> None:
    """They are kept until their rows are written: a flood of them must not take all memory."""
    writer = make(queue_bytes=10_000)
    refused = [{"type": "t", "colour": "x" * 6_000}]
    with no_flush_begins():
        waiting = send(writer, tenant, refused)
        with pytest.raises(Overloaded):
            send(writer, tenant, refused)
    assert len(waiting.result(SECONDS).rejections) == 1


def test_one_request_larger_than_the_queue_is_taken_alone(make: Make, tenant: Tenant) -> None:
    writer = make(queue_events=10)
    assert send(writer, tenant, events(50)).result(SECONDS).accepted == 50


@pytest.mark.parametrize("name", ["gateway", "drf"])
def test_a_full_queue_is_503_with_retry_after(
    name: str, doors: dict[str, Door], make: Make, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = make(queue_events=10)
    with no_flush_begins():
        waiting = send(writer, tenant, events(10))
        monkeypatch.setattr("events.services.get_writer", lambda _using: writer)
        answer = post(doors[name], tenant.key, {"type": "t"})
    assert (answer.status, answer.json["code"]) == (503, "overloaded")
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.json["request_id"] == answer.headers["x-request-id"]
    waiting.result(SECONDS)
    wait_for(lambda: writer.depth == (0, 0), seconds=SECONDS, what="the queue to be empty")
    assert post(doors[name], tenant.key, {"type": "t"}).status == 200


def test_one_poison_event_in_a_flush_of_many_requests_is_refused_alone(
    make: Make, tenant: Tenant, books: Books
) -> None:
    writer = make()
    poisoned = b'[{"type":"t","id":"p-0"},%s,{"type":"t","id":"p-2"}]' % POISON
    with no_flush_begins():
        plug = send(writer, tenant, events(1, "plug"))
        before = [send(writer, tenant, events(125, f"b{number}")) for number in range(4)]
        victim = send(writer, tenant, poisoned)
        after = [send(writer, tenant, events(125, f"a{number}")) for number in range(4)]
    assert plug.result(SECONDS).accepted == 1
    for future in before + after:
        verdicts = future.result(SECONDS)
        assert (verdicts.accepted, verdicts.rejections) == (125, [])
    verdicts = victim.result(SECONDS)
    assert (verdicts.accepted, verdicts.ids) == (2, ["p-0", None, "p-2"])
    assert [(each.position, each.error.code) for each in verdicts.rejections] == [(1, "not_storable")]
    assert books.stored(tenant.id) == 1003
    assert books.counts(tenant.id) == {"t": (1003, 0, 1)}


def test_a_request_full_of_poison_takes_few_statements(make: Make, tenant: Tenant, books: Books) -> None:
    """Found by halving, 5,000 of them held up every other request for the better part of a minute."""
    writer = make(connect=connect_counting)
    StatementCounter.seen.clear()
    good, bad = b'{"type":"t","data":{"x":1}}', b'{"type":"t","data":{"x":1e-99999}}'
    body = b"[" + b",".join([good, bad] * 1_000) + b"]"
    verdicts = send(writer, tenant, body).result(SECONDS)
    assert (verdicts.accepted, len(verdicts.rejections)) == (1_000, 1_000)
    assert [each.position for each in verdicts.rejections] == list(range(1, 2_000, 2))
    assert books.stored(tenant.id) == 1_000
    assert len(StatementCounter.seen) < 20


def test_an_event_that_repeats_the_id_of_a_refused_one_is_stored(
    make: Make, tenant: Tenant, books: Books
) -> None:
    """Called a duplicate, it would be acknowledged and nowhere."""
    writer = make()
    body = b'[%s,{"type":"t","id":"poison","value":2},{"type":"t","id":"poison","value":3}]' % POISON
    verdicts = send(writer, tenant, body).result(SECONDS)
    assert (verdicts.accepted, verdicts.duplicates) == (1, 1)
    assert [each.position for each in verdicts.rejections] == [0]
    assert [row["value"] for row in books.events(tenant.id)] == [2.0]
    assert send(writer, tenant, {"type": "t", "id": "poison"}).result(SECONDS).duplicates == 1


def test_an_event_that_repeats_an_id_of_a_request_taken_back_is_stored(
    make: Make, tenant: Tenant, books: Books
) -> None:
    writer = make()
    with no_flush_begins():
        plug = send(writer, tenant, events(1, "plug"))
        whole = send(writer, tenant, b'[{"type":"t","id":"shared"},%s]' % POISON, whole=True)
        plain = send(writer, tenant, {"type": "t", "id": "shared"})
    plug.result(SECONDS)
    taken_back = whole.result(SECONDS)
    assert (taken_back.accepted, taken_back.duplicates, taken_back.ids) == (0, 0, [None, None])
    assert plain.result(SECONDS).accepted == 1
    assert {row["event_id"] for row in books.events(tenant.id)} == {"plug-0", "shared"}


def test_taking_a_request_back_leaves_what_an_earlier_one_stored(
    make: Make, tenant: Tenant, books: Books
) -> None:
    """An id that identity has forgotten, but whose event is still there at the same time."""
    writer = make()
    old = (
        b'{"type":"t","id":"old","time":"%s"}'
        % books.value("SELECT to_json(now())::text").strip('"').encode()
    )
    assert send(writer, tenant, old).result(SECONDS).accepted == 1
    books.execute("DELETE FROM event_identity")
    verdicts = send(writer, tenant, b"[%s,%s]" % (old, POISON), whole=True).result(SECONDS)
    assert (verdicts.accepted, verdicts.duplicates, len(verdicts.rejections)) == (0, 0, 2)
    assert [row["event_id"] for row in books.events(tenant.id)] == ["old"]
    assert send(writer, tenant, old).result(SECONDS).duplicates == 1
    assert books.stored(tenant.id) == 1


def test_a_changed_route_is_read_before_the_next_segment_is_packed(
    make: Make, tenant: Tenant, books: Books
) -> None:
    writer = make()
    send(writer, tenant, {"type": "a", "id": "before"}).result(SECONDS)
    route(tenant.id, ["a"])
    send(writer, tenant, [{"type": "a", "id": "routed"}, {"type": "b", "id": "other"}]).result(SECONDS)
    route(tenant.id, ["b*"])
    send(writer, tenant, [{"type": "a", "id": "late"}, {"type": "bb", "id": "glob"}]).result(SECONDS)
    route(tenant.id, [])
    send(writer, tenant, {"type": "bb", "id": "after"}).result(SECONDS)
    uids = {row["uid"].bytes: row["event_id"] for row in books.events(tenant.id)}
    assert [uids[event.uid] for _, event in books.logged(tenant.id)] == ["routed", "glob"]


@pytest.mark.parametrize(
    ("body", "routed", "statements"),
    [
        ([{"type": "t"}] * 500, [], ["ingest_begin", "event", "rollup_ledger"]),
        (events(500, "s"), [], ["ingest_begin", "event_identity", "event", "rollup_ledger"]),
        (
            events(500, "l"), ["*"],
            ["ingest_begin", "event_identity", "event", "event_segment", "rollup_ledger"],
        ),
        (
            [{"type": "t"}, {}], [],
            ["ingest_begin", "event", "rollup_ledger", "rejected_event"],
        ),
    ],
    ids=["plain", "with ids", "with ids, logged", "with a refusal"],
)  # fmt: skip
def test_a_flush_takes_this_many_statements(
    make: Make, tenant: Tenant, body: object, routed: list[str], statements: list[str]
) -> None:
    route(tenant.id, routed)
    writer = make(connect=connect_counting)
    send(writer, tenant, {"type": "warm-up"}).result(SECONDS)
    with no_flush_begins():
        # Behind one that waits, so that no idle check of the connection comes between.
        first = send(writer, tenant, {"type": "first"})
        second = send(writer, tenant, body)
    first.result(SECONDS)
    second.result(SECONDS)
    seen = [name for name in StatementCounter.seen if name not in {"SELECT 1", "ingest_latency"}]
    start = len(seen) - 1 - seen[::-1].index("ingest_begin")
    StatementCounter.seen.clear()
    assert seen[start:] == statements


def test_close_answers_what_waits_and_refuses_what_comes(make: Make, tenant: Tenant, books: Books) -> None:
    writer = make()
    with no_flush_begins():
        waiting = [send(writer, tenant, events(10, str(number))) for number in range(5)]
        closing = Running(writer.close)
        refused = wait_for(lambda: _refusal(writer, tenant), seconds=SECONDS, what="the writer to close")
        assert "shutting down" in refused.detail
    closing.result()
    assert [future.result(0).accepted for future in waiting] == [10] * 5
    assert not writer.healthy


def _refusal(writer: Writer, tenant: Tenant) -> Overloaded | None:
    try:
        send(writer, tenant, {"type": "probe"})
    except Overloaded as refusal:
        return refusal
    return None


def test_a_forked_process_has_a_writer_of_its_own(tenant: Tenant, books: Books) -> None:
    close_writers()
    ours = get_writer("default")
    assert send(ours, tenant, {"type": "t", "id": "before"}).result(SECONDS).accepted == 1
    child = os.fork()
    if child == 0:
        code = 1
        try:
            theirs = get_writer("default")
            answer = send(theirs, tenant, {"type": "t", "id": "child"}).result(SECONDS)
            close_writers()
            code = 0 if theirs is not ours and answer.accepted == 1 else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert get_writer("default") is ours
    assert send(ours, tenant, {"type": "t", "id": "after"}).result(SECONDS).accepted == 1
    assert {row["event_id"] for row in books.events(tenant.id)} == {"before", "child", "after"}


def test_one_writer_serves_all_callers_of_a_process(books: Books) -> None:
    close_writers()
    found: list[Writer] = []
    threads = [Running(lambda: found.append(get_writer("default"))) for _ in range(20)]
    for thread in threads:
        thread.result()
    assert len(set(map(id, found))) == 1


def test_requests_of_two_projects_share_a_flush_without_mixing(
    make: Make, tenant: Tenant, books: Books
) -> None:
    other = make_tenant()
    writer = make()
    with no_flush_begins():
        plug = send(writer, tenant, {"type": "plug"})
        mine = send(writer, tenant, {"type": "t", "id": "same"})
        theirs = send(writer, other, {"type": "t", "id": "same"})
    plug.result(SECONDS)
    assert (mine.result(SECONDS).accepted, theirs.result(SECONDS).accepted) == (1, 1)
    assert (books.stored(tenant.id), books.stored(other.id)) == (2, 1)
    assert books.counts(other.id) == {"t": (1, 0, 0)}
