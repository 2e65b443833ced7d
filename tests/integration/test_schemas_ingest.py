"""Schemas at every door: off, warn and enforce, in force in other processes within a second."""

import json
from typing import Any

import pytest
from django.db import Error, connection, transaction

from events.schemas.models import EventSchema, SchemaVersion
from events.schemas.services import SchemaRefused, save_version, set_mode, use_version
from tests.support.doors import Door
from tests.support.ingest import Books, Tenant, make_tenant, post
from tests.support.waiting import wait_for

AMOUNT = {"type": "object", "required": ["amount"], "properties": {"amount": {"type": "number"}}}
GOOD, BAD = {"type": "order", "data": {"amount": 1}}, {"type": "order", "data": {"amount": "1"}}


def save(tenant: Tenant, schema: Any, *, mode: str = "off", force: bool = False) -> EventSchema:
    saved = save_version(project_id=tenant.id, event_type="order", text=json.dumps(schema), force=force)
    return set_mode(schema=saved.version.schema, mode=mode)[0]


def warnings(books: Books, tenant: Tenant) -> list[dict[str, Any]]:
    return books.rows("SELECT * FROM schema_warning WHERE project_id = %(id)s", {"id": tenant.id})


def test_enforced_it_refuses_what_does_not_fit(door: Door, tenant: Tenant, books: Books) -> None:
    save(tenant, AMOUNT, mode="enforce")
    answer = post(
        door, tenant.key, [GOOD, BAD, {"type": "order"}, {"type": "other", "data": {"amount": "1"}}]
    )
    assert (answer.status, answer.json["accepted"]) == (207, 2)
    first, second = answer.json["errors"]
    assert (first["index"], first["code"], first["pointer"]) == (1, "schema_violation", "/data/amount")
    assert first["message"] == "`amount` must be a number; send one."
    assert (second["index"], second["pointer"]) == (2, "/data/amount")
    assert [row["code"] for row in books.rejected(tenant.id)] == ["schema_violation"] * 2


def test_warned_it_stores_and_counts(door: Door, tenant: Tenant, books: Books) -> None:
    save(tenant, AMOUNT, mode="warn")
    assert post(door, tenant.key, [BAD, BAD, GOOD]).json["accepted"] == 3
    post(door, tenant.key, [BAD], query="dry_run=1")
    rows = wait_for(lambda: warnings(books, tenant), seconds=20, what="the warnings")
    assert sum(row["events"] for row in rows) == 2
    assert (rows[0]["type"], rows[0]["pointer"]) == ("order", "/data/amount")
    post(door, tenant.key, [BAD])
    wait_for(lambda: sum(row["events"] for row in warnings(books, tenant)) == 3, seconds=20, what="the third")


def test_off_it_does_nothing(door: Door, tenant: Tenant, books: Books) -> None:
    save(tenant, AMOUNT)
    assert post(door, tenant.key, [BAD, GOOD]).json["accepted"] == 2


def test_a_change_is_in_force_everywhere_within_a_second(door: Door, tenant: Tenant, books: Books) -> None:
    assert post(door, tenant.key, GOOD).status == 200
    schema = save(tenant, AMOUNT, mode="enforce")
    wait_for(lambda: post(door, tenant.key, BAD).status == 422, seconds=20, what="the schema", every=0.1)
    set_mode(schema=schema, mode="off")
    wait_for(lambda: post(door, tenant.key, BAD).status == 200, seconds=20, what="its end", every=0.1)


def test_another_project_is_not_asked(gateway: Door, tenant: Tenant, books: Books) -> None:
    save(tenant, AMOUNT, mode="enforce")
    assert post(gateway, make_tenant().key, BAD).status == 200


def test_enforcing_needs_a_dry_run_without_failures(gateway: Door, tenant: Tenant, books: Books) -> None:
    post(gateway, tenant.key, [GOOD, BAD, BAD])
    schema = save(tenant, AMOUNT)
    with pytest.raises(SchemaRefused) as refused:
        set_mode(schema=schema, mode="enforce")
    trial = refused.value.trial
    assert trial is not None
    assert (trial.checked, trial.failing) == (3, 2)
    assert {example.pointer for example in trial.examples} == {"/data/amount"}
    assert EventSchema.objects.get(pk=schema.pk).mode == "off"
    assert set_mode(schema=schema, mode="enforce", force=True)[0].mode == "enforce"


def test_an_enforced_schema_takes_no_version_that_refuses_more(
    gateway: Door, tenant: Tenant, books: Books
) -> None:
    schema = save(tenant, AMOUNT, mode="enforce")
    post(gateway, tenant.key, [GOOD])
    narrower = json.dumps({**AMOUNT, "required": ["amount", "by"]})
    with pytest.raises(SchemaRefused) as refused:
        save_version(project_id=tenant.id, event_type="order", text=narrower)
    assert [finding.pointer for finding in refused.value.findings] == ["/required"]
    wider = save_version(project_id=tenant.id, event_type="order", text='{"type": "object"}')
    assert (wider.version.number, wider.findings) == (2, [])
    forced = save_version(project_id=tenant.id, event_type="order", text=narrower, force=True)
    assert forced.version.number == 3
    assert use_version(schema=schema, number=1).version == 1


def test_a_version_is_never_changed(tenant: Tenant, books: Books) -> None:
    save(tenant, AMOUNT)
    with pytest.raises(Error, match="never changed"), transaction.atomic():
        SchemaVersion.objects.filter(schema__project_id=tenant.id).update(text="{}")
    connection.close()
