"""Sanitising at every door: what rules hide reaches no table, neither with stored events nor with refused ones."""

import msgspec
import pytest

from events.sanitising.loading import tokens_of
from events.sanitising.rules import RuleText
from events.sanitising.services import add_rule, delete_rule
from events.schemas.services import save_version, set_mode
from tests.support.doors import Door
from tests.support.ingest import DATA_TABLES, Books, Tenant, post
from tests.support.waiting import wait_for

EMAIL = "ada@example.com"


@pytest.fixture
def masked(tenant: Tenant) -> Tenant:
    """A tenant whose emails are masked, and hashed in `data.user`."""
    add_rule(project_id=tenant.id, text=RuleText("hash", "/data/user"))
    add_rule(project_id=tenant.id, text=RuleText("mask", pattern="email"))
    return tenant


def everything_kept(books: Books, tenant: Tenant) -> str:
    kept = [
        books.rows(f"SELECT t::text, {'raw' if table == 'rejected_event' else '1'} AS raw FROM {table} t")
        for table in DATA_TABLES
    ]
    return repr(kept)


def test_stored_events_hold_nothing_that_a_rule_hides(door: Door, masked: Tenant, books: Books) -> None:
    events = [
        {
            "type": "t",
            "id": f"a {EMAIL}",
            "source": EMAIL,
            "subject": EMAIL,
            "key": EMAIL,
            "data": {"user": EMAIL},
        },
        {"type": "t", "id": "b", "data": {"exact": 1.5, "text": f"from {EMAIL}"}},
    ]
    answer = post(door, masked.key, events)
    assert (answer.status, answer.json["accepted"]) == (200, 2)
    token = tokens_of(masked.id).token(EMAIL)
    assert answer.json["ids"] == [f"a {token}", "b"]
    first, second = sorted(books.events(masked.id), key=lambda row: str(row["event_id"]))
    assert (first["source"], first["subject"], first["partition_key"]) == (token, "***", "***")
    assert first["data"] == {"user": token}
    assert second["data"] == {"exact": 1.5, "text": "from ***"}
    assert EMAIL not in everything_kept(books, masked)


def test_a_retry_of_a_hashed_id_is_a_duplicate(door: Door, masked: Tenant, books: Books) -> None:
    event = {"type": "t", "id": f"a {EMAIL}"}
    assert post(door, masked.key, event).json["accepted"] == 1
    assert post(door, masked.key, event).json["duplicates"] == 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"type": "t", "id": "%s", "data": [1]}', "wrong_type"),
        (b'{"type": "t", "colour": "%s"}', "unknown_field"),
        (b'{"type": "t", "%s": 1}', "unknown_field"),
        (b'{"type": "%s"}', "invalid_format"),
        (b'{"type": "t", "time": "1970-01-01T00:00:00Z", "data": {"user": "%s"}}', "time_out_of_range"),
        (b'{"type": "t", "subject": "%s", "data": {"n": 1e-99999}}', "not_storable"),
        (b'{"type": "t", "subject": "%s", "data": {"a": 1, "a": 2}}', "duplicate_key"),
        (b'{"type": "t", "subject": "%s", "data": "\\ud800"}', "lone_surrogate"),
    ],
)
def test_refused_events_are_kept_without_what_a_rule_hides(
    door: Door, masked: Tenant, books: Books, body: bytes, code: str
) -> None:
    post(door, masked.key, {"type": "t"})
    answer = post(door, masked.key, body % EMAIL.encode())
    assert (answer.status, answer.json["errors"][0]["code"]) == (422, code)
    assert EMAIL not in answer.body.decode()
    (row,) = books.rejected(masked.id)
    assert row["code"] == code
    assert EMAIL not in everything_kept(books, masked)
    assert b"***" in row["raw"] or b"sgh_" in row["raw"] or b"[not kept" in row["raw"]


def test_a_line_that_is_not_json_is_not_kept(door: Door, masked: Tenant, books: Books) -> None:
    body = b'{"type": "t"}\n{"type": "t", "mail": "%s"\n' % EMAIL.encode()
    answer = post(door, masked.key, body, content_type="application/x-ndjson")
    assert answer.status == 207
    (row,) = books.rejected(masked.id)
    assert bytes(row["raw"]).startswith(b"[not kept: this is not JSON")


def test_schemas_see_what_is_left(door: Door, masked: Tenant, books: Books) -> None:
    schema = {"type": "object", "properties": {"text": {"const": "***"}}}
    saved = save_version(project_id=masked.id, event_type="t", text=msgspec.json.encode(schema).decode())
    set_mode(schema=saved.version.schema, mode="enforce")
    answer = post(
        door, masked.key, [{"type": "t", "data": {"text": EMAIL}}, {"type": "t", "data": {"text": "x"}}]
    )
    assert [error["index"] for error in answer.json["errors"]] == [1]


def test_a_rule_is_in_force_and_gone_again_within_a_second(door: Door, tenant: Tenant, books: Books) -> None:
    def stored(subject: str) -> str:
        found: str = books.value(
            "SELECT subject FROM event WHERE project_id = %(id)s ORDER BY received_at DESC LIMIT 1",
            {"id": tenant.id},
        )
        return found if post(door, tenant.key, {"type": "t", "subject": subject}).status == 200 else ""

    post(door, tenant.key, {"type": "t", "subject": EMAIL})
    assert stored(EMAIL) == EMAIL
    rule = add_rule(project_id=tenant.id, text=RuleText("mask", pattern="email"))
    wait_for(lambda: stored(EMAIL) == "***", seconds=20, what="the rule", every=0.1)
    delete_rule(rule=rule)
    wait_for(lambda: stored(EMAIL) == EMAIL, seconds=20, what="its end", every=0.1)


def test_a_rule_that_cannot_be_applied_stops_the_project_rather_than_store_what_it_hides(
    door: Door, tenant: Tenant, books: Books
) -> None:
    rule = add_rule(project_id=tenant.id, text=RuleText("mask", pattern="custom", expression="a"))
    books.execute("UPDATE events_sanitisingrule SET expression = '(' WHERE id = %(id)s", {"id": rule.pk})
    answer = post(door, tenant.key, {"type": "t"})
    assert (answer.status, answer.json["code"]) == (503, "overloaded")
    assert "an admin" in answer.json["detail"]
    assert books.stored(tenant.id) == 0
