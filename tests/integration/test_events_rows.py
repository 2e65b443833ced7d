"""What a request leaves in the tables: every column as it was sent, and books that agree with what happened."""

import json
import math
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from events.identity import identity_key
from events.partitions import PARTITIONS, partition_of
from tests.support.doors import Door
from tests.support.ingest import Books, Tenant, make_tenant, post, route

NOW = datetime.now(UTC).replace(microsecond=0)
MINUTE = timedelta(minutes=1)


def rfc3339(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def test_every_column_is_as_it_was_sent(any_door: Door, tenant: Tenant, books: Books) -> None:
    moment = NOW - timedelta(hours=1, microseconds=-123456)
    data = {"ä": ["日本", {"": None, "t": True}], "n": -1.5, "emoji": "😀", "big": 2**53 + 1}
    sent = {
        "type": "shop/order.placed:v1", "id": "ord\u00e9r-\u2603", "source": "kasse/7 \u0001", "subject": "s\"\\",
        "key": "k\u00fc", "time": rfc3339(moment), "value": -0.1, "data": data,
    }  # fmt: skip
    before = books.value("SELECT clock_timestamp()")
    assert post(any_door, tenant.key, sent).status == 200
    after = books.value("SELECT clock_timestamp()")
    (row,) = books.events(tenant.id)
    received_at = row.pop("received_at")
    assert before <= received_at <= after
    assert row == {
        "project_id": tenant.id,
        "time": moment,
        "uid": UUID(bytes=identity_key(tenant.id, "kasse/7 \u0001", "ord\u00e9r-\u2603")),
        "type": "shop/order.placed:v1",
        "source": "kasse/7 \u0001",
        "subject": 's"\\',
        "partition_key": "k\u00fc",
        "partition": partition_of(tenant.id, "k\u00fc"),
        "event_id": "ord\u00e9r-\u2603",
        "value": -0.1,
        "data": data,
        "attributes": None,
    }
    assert 0 <= row["partition"] < PARTITIONS


@pytest.mark.parametrize(
    "empty", [{}, dict.fromkeys(("id", "source", "subject", "key", "time", "value", "data"))]
)
def test_what_is_left_out_has_its_default(
    any_door: Door, tenant: Tenant, books: Books, empty: dict[str, None]
) -> None:
    before = datetime.now(UTC)
    answer = post(any_door, tenant.key, {"type": "t", **empty})
    (row,) = books.events(tenant.id)
    assert before - timedelta(milliseconds=1) <= row["time"] <= datetime.now(UTC)
    assert (row["source"], row["subject"], row["event_id"], row["value"], row["data"]) == (
        "",
        "",
        None,
        None,
        None,
    )
    assert answer.json["ids"] == [str(row["uid"])]
    assert row["partition_key"] == str(row["uid"])
    assert row["uid"].version == 7


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"key": "k", "subject": "s", "source": "o", "id": "i"}, "k"),
        ({"subject": "s", "source": "o", "id": "i"}, "s"),
        ({"key": "", "subject": "s", "source": "o"}, "s"),
        ({"source": "o", "id": "i"}, "o"),
        ({"id": "i"}, "i"),
    ],
)
def test_the_partition_key_falls_back_in_order(
    any_door: Door, tenant: Tenant, books: Books, fields: dict[str, str], key: str
) -> None:
    post(any_door, tenant.key, {"type": "t", **fields})
    (row,) = books.events(tenant.id)
    assert (row["partition_key"], row["partition"]) == (key, partition_of(tenant.id, key))


@pytest.mark.parametrize(
    ("written", "offset"),
    [("%sZ", 0), ("%sz", 0), ("%s+00:00", 0), ("%s-00:00", 0), ("%s+05:30", 330), ("%s-09:00", -540),
     ("%s+14:00", 840)],
)  # fmt: skip
def test_an_offset_becomes_utc(
    any_door: Door, tenant: Tenant, books: Books, written: str, offset: int
) -> None:
    moment = NOW - timedelta(days=2)
    text = written % moment.replace(tzinfo=None).isoformat()
    assert post(any_door, tenant.key, {"type": "t", "time": text}).status == 200
    assert books.events(tenant.id)[0]["time"] == moment - timedelta(minutes=offset)


def test_a_small_t_is_a_time_too(any_door: Door, tenant: Tenant, books: Books) -> None:
    post(any_door, tenant.key, {"type": "t", "time": rfc3339(NOW).lower()})
    assert books.events(tenant.id)[0]["time"] == NOW


@pytest.mark.parametrize(
    ("fraction", "microseconds"),
    [(".1", 100_000), (".000001", 1), (".999999", 999_999), (".1234567", 123_457)],
)
def test_a_time_keeps_its_microseconds(
    any_door: Door, tenant: Tenant, books: Books, fraction: str, microseconds: int
) -> None:
    text = rfc3339(NOW)[:-1] + fraction + "Z"
    post(any_door, tenant.key, {"type": "t", "time": text})
    assert books.events(tenant.id)[0]["time"] == NOW + timedelta(microseconds=microseconds)


@pytest.mark.parametrize("value", [0, -0.0, 1, 2**53, 2**64, 5e-324, -1.7976931348623157e308, 0.1])
def test_a_value_keeps_every_bit(any_door: Door, tenant: Tenant, books: Books, value: float) -> None:
    post(any_door, tenant.key, {"type": "t", "value": value})
    stored = books.events(tenant.id)[0]["value"]
    assert stored == float(value)
    assert math.copysign(1, stored) == math.copysign(1, value)


def test_an_id_is_new_once(any_door: Door, tenant: Tenant, books: Books) -> None:
    first = post(
        any_door, tenant.key, [{"type": "t", "id": "a", "value": 1}, {"type": "t", "id": "a", "value": 2}]
    )
    assert (first.status, first.json["accepted"], first.json["duplicates"]) == (200, 1, 1)
    assert first.json["ids"] == ["a", "a"]
    again = post(any_door, tenant.key, {"type": "other", "id": "a", "time": rfc3339(NOW - timedelta(days=3))})
    assert (again.status, again.json["accepted"], again.json["duplicates"]) == (200, 0, 1)
    assert again.json["ids"] == ["a"]
    (row,) = books.events(tenant.id)
    assert (row["type"], row["value"]) == ("t", 1.0)


def test_an_id_is_its_sources_own(any_door: Door, tenant: Tenant, books: Books) -> None:
    events = [{"type": "t", "id": "a", "source": source} for source in ("", "x", "y", "x")]
    answer = post(any_door, tenant.key, events)
    assert (answer.json["accepted"], answer.json["duplicates"]) == (3, 1)
    assert {row["source"] for row in books.events(tenant.id)} == {"", "x", "y"}


def test_an_id_is_its_projects_own(any_door: Door, tenant: Tenant, books: Books) -> None:
    other = make_tenant()
    for each in (tenant, other):
        assert post(any_door, each.key, {"type": "t", "id": "a"}).json["accepted"] == 1
    assert (books.stored(tenant.id), books.stored(other.id)) == (1, 1)


def test_events_without_id_are_never_duplicates(any_door: Door, tenant: Tenant, books: Books) -> None:
    events = [{"type": "t", "time": rfc3339(NOW)}] * 100
    assert post(any_door, tenant.key, events).json["accepted"] == 100
    assert post(any_door, tenant.key, events).json["accepted"] == 100
    assert books.stored(tenant.id) == 200


def test_counts_equal_what_happened(any_door: Door, tenant: Tenant, books: Books) -> None:
    post(
        any_door,
        tenant.key,
        [{"type": "a", "id": "1"}, {"type": "a", "id": "1"}, {"type": "a"}, {"type": "b", "id": "2"}],
    )
    post(
        any_door,
        tenant.key,
        [{"type": "b", "id": "2"}, {"type": "b", "x": 1}, {"id": "no-type"}, {"type": "a b"}],
    )
    post(any_door, tenant.key, [{"type": "c", "x": 1}])
    assert books.counts(tenant.id) == {"a": (2, 1, 0), "b": (1, 1, 1), "c": (0, 0, 1), "": (0, 0, 2)}
    seconds = books.rows(
        "SELECT second, process FROM ingest_count WHERE project_id = %(id)s", {"id": tenant.id}
    )
    assert all(row["second"].microsecond == 0 for row in seconds)
    assert len({row["process"] for row in seconds}) == 1


def test_the_ledger_names_each_minute_that_changed(any_door: Door, tenant: Tenant, books: Books) -> None:
    minute = (NOW - timedelta(hours=3)).replace(second=0)
    times = [
        minute,
        minute + timedelta(seconds=59, microseconds=999_999),
        minute + MINUTE,
        minute - 5 * MINUTE,
    ]
    events = [{"type": "t", "id": str(place), "time": rfc3339(each)} for place, each in enumerate(times)]
    post(any_door, tenant.key, events)
    assert books.ledger(tenant.id) == [minute - 5 * MINUTE, minute, minute + MINUTE]
    post(any_door, tenant.key, events)
    assert len(books.ledger(tenant.id)) == 3, "duplicates change no minute"


def test_a_refused_event_is_kept_with_its_bytes(door: Door, tenant: Tenant, books: Books) -> None:
    raw = '{ "type":"t" , "id":"x-1","value":"1",\t"data":{"ä":1} }'.encode()
    post(door, tenant.key, b'[{"type":"t"}, %s ]' % raw, x_request_id="request-7")
    (row,) = books.rejected(tenant.id)
    assert bytes(row["raw"]) == raw
    assert (row["position"], row["type"], row["request_id"]) == (1, "t", "request-7")
    assert (row["code"], row["pointer"]) == ("wrong_type", "/value")
    assert row["key_id"] == tenant.project.keys.get().pk
    assert row["received_at"] == books.events(tenant.id)[0]["received_at"]
    assert "number" in row["message"]


def test_a_refused_line_is_kept_with_its_bytes(any_door: Door, tenant: Tenant, books: Books) -> None:
    lines = b'{"type":"t"}\r\n\r\n\xff\xfe{"type"\r\n{"type":"t"}'
    answer = post(any_door, tenant.key, lines, content_type="application/x-ndjson")
    assert [error["index"] for error in answer.json["errors"]] == [1]
    assert [bytes(row["raw"]).rstrip(b"\r") for row in books.rejected(tenant.id)] == [b'\xff\xfe{"type"']


def test_only_what_a_pipeline_wants_enters_the_log(any_door: Door, tenant: Tenant, books: Books) -> None:
    route(tenant.id, ["order.*", "exact"])
    time = rfc3339(NOW - timedelta(minutes=1, microseconds=-7))
    wanted = [
        {"type": "order.placed", "id": "1", "source": "s", "subject": "u", "key": "k", "time": time, "value": 2,
         "data": {"a": [1]}},
        {"type": "exact", "id": "2", "key": "k"},
    ]  # fmt: skip
    others = [{"type": "order", "id": "3"}, {"type": "exactly", "id": "4"}, {"type": "EXACT", "id": "5"}]
    post(any_door, tenant.key, [wanted[0], *others, wanted[1]])
    logged = books.logged(tenant.id)
    assert [partition for partition, _ in logged] == [partition_of(tenant.id, "k")] * 2
    rows = {row["event_id"]: row for row in books.events(tenant.id)}
    first, second = (event for _, event in logged)
    assert (first.project_id, first.type, first.source, first.subject, first.key) == (
        tenant.id, "order.placed", "s", "u", "k",
    )  # fmt: skip
    assert (first.uid, first.value) == (rows["1"]["uid"].bytes, 2.0)
    assert datetime.fromtimestamp(0, UTC) + timedelta(microseconds=first.time_us) == rows["1"]["time"]
    assert json.loads(first.data) == {"a": [1]}
    assert (second.type, second.value, second.data, second.uid) == (
        "exact",
        None,
        b"",
        rows["2"]["uid"].bytes,
    )


def test_the_log_holds_no_duplicate_and_nothing_refused(any_door: Door, tenant: Tenant, books: Books) -> None:
    route(tenant.id, ["*"])
    body = (
        b'[{"type":"t","id":"a"},{"type":"t","id":"a"},{"type":"t","data":{"x":1e-99999}},{"type":"t","x":1}]'
    )
    post(any_door, tenant.key, body)
    post(any_door, tenant.key, body)
    assert len(books.logged(tenant.id)) == 1
    assert books.stored(tenant.id) == 1


def test_a_segment_row_tells_what_is_in_it(door: Door, tenant: Tenant, books: Books) -> None:
    route(tenant.id, ["*"])
    data = {"x": "y" * 3_000}
    events = [
        {"type": "t", "id": f"{number:03}", "key": f"k{number % 7}", "data": data} for number in range(700)
    ]
    post(door, tenant.key, events)
    partitions = {partition_of(tenant.id, f"k{number}") for number in range(7)}
    found = books.rows(
        "SELECT partition, ordinal, events, length(payload) AS size, received_at FROM event_segment"
        " WHERE flush_id = (SELECT flush_id FROM event_segment ORDER BY id DESC LIMIT 1)"
        " ORDER BY partition, ordinal",
    )
    assert sum(row["events"] for row in found) == 700
    assert {row["partition"] for row in found} == partitions
    assert max(row["size"] for row in found) <= 256 * 1024
    assert max(row["ordinal"] for row in found) >= 1
    assert len({row["received_at"] for row in found}) == 1
    order = {row["uid"].bytes: row["event_id"] for row in books.events(tenant.id)}
    for number in range(7):
        sent = [order[event.uid] for _, event in books.logged(tenant.id) if event.key == f"k{number}"]
        assert sent == sorted(sent), "per key the log is in the order of arrival"
        assert len(sent) == 100


def test_a_backfill_key_fills_the_table_and_not_the_log(any_door: Door, tenant: Tenant, books: Books) -> None:
    route(tenant.id, ["*"])
    key = tenant.another_key("ingest", "backfill")
    assert post(any_door, key, [{"type": "t"}, {"type": "t"}]).json["accepted"] == 2
    assert books.stored(tenant.id) == 2
    assert books.logged(tenant.id) == []


def status_at(any_door: Door, key: str, moment: datetime) -> tuple[int, str]:
    answer = post(any_door, key, {"type": "t", "time": rfc3339(moment)})
    errors: list[dict[str, Any]] = answer.json["errors"]
    return answer.status, errors[0]["code"] if errors else ""


REFUSED = (422, "time_out_of_range")


def test_a_time_may_be_a_day_ahead_and_as_old_as_the_retention(any_door: Door, books: Books) -> None:
    key = make_tenant(raw_retention_days=30).key
    now = datetime.now(UTC)
    leeway = timedelta(minutes=2)
    assert status_at(any_door, key, now + timedelta(hours=24) - leeway) == (200, "")
    assert status_at(any_door, key, now + timedelta(hours=24) + leeway) == REFUSED
    assert status_at(any_door, key, now - timedelta(days=30) + leeway) == (200, "")
    assert status_at(any_door, key, now - timedelta(days=30) - leeway) == REFUSED


def test_only_backfill_reaches_past_the_live_limit_and_nothing_past_the_retention(
    any_door: Door, books: Books
) -> None:
    tenant = make_tenant(raw_retention_days=30, live_limit_days=2)
    backfill = tenant.another_key("ingest", "backfill")
    now = datetime.now(UTC)
    for key, days, expected in [
        (tenant.key, 1, (200, "")),
        (tenant.key, 3, REFUSED),
        (backfill, 3, (200, "")),
        (backfill, 29, (200, "")),
        (backfill, 31, REFUSED),
    ]:
        assert status_at(any_door, key, now - timedelta(days=days)) == expected


def test_the_tail_shows_the_newest_of_what_was_stored(any_door: Door, tenant: Tenant, books: Books) -> None:
    post(any_door, tenant.key, [{"type": "t", "id": str(number)} for number in range(200)])
    query = "SELECT e.event_id FROM event_tail t JOIN event e USING (project_id, time, uid) WHERE t.project_id = %(id)s"
    shown = {row["event_id"] for row in books.rows(query, {"id": tenant.id})}
    assert "199" in shown
    assert 1 <= len(shown) <= 50
