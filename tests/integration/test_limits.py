"""Rates, quotas, types and addresses of keys and projects, the same at every door, and the books of drops."""

import concurrent.futures
from ipaddress import ip_network
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.allowances import Allowance
from accounts.key_reader import KeyReader
from config import env
from events.errors import LimitExceeded
from events.limiter import Limiter
from events.usage import select_usage
from tests.support.doors import Answer, Door, ServerDoor
from tests.support.ingest import Books, Tenant, post
from tests.support.waiting import wait_for

SECONDS = 20.0
SLOW = Allowance(rate=1, burst=100)  # a test that ran long enough to refill it would be stuck anyway


def events(count: int, **fields: object) -> list[dict[str, object]]:
    return [{"type": "order.placed", **fields} for _ in range(count)]


def dropped(books: Books, tenant: Tenant) -> dict[str, tuple[int, int]]:
    """(events, requests) by reason."""
    found = books.rows(
        "SELECT reason, sum(events)::int AS e, sum(requests)::int AS r FROM ingest_drop"
        " WHERE project_id = %(id)s GROUP BY reason",
        {"id": tenant.id},
    )
    return {row["reason"]: (row["e"], row["r"]) for row in found}


def wait_for_drops(books: Books, tenant: Tenant, expected: dict[str, tuple[int, int]]) -> None:
    wait_for(lambda: dropped(books, tenant) == expected, seconds=SECONDS, what=f"{expected} in ingest_drop")


def assert_limited(answer: Answer, code: str) -> None:
    assert (answer.status, answer.json["code"]) == (429, code), answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) >= 1


def test_a_key_without_limits_has_no_word_of_them(door: Door, tenant: Tenant) -> None:
    answer = post(door, tenant.key, events(1))
    assert answer.status == 200
    assert not [name for name in answer.headers if name.startswith("ratelimit")]


def test_a_key_over_its_rate_is_429_and_nothing_is_stored(door: Door, tenant: Tenant, books: Books) -> None:
    key = tenant.limited_key(SLOW)
    first = post(door, key, events(60))
    assert first.status == 200
    assert first.headers["ratelimit-policy"] == '"key";q=100;qu="events";w=100'
    assert first.headers["ratelimit"].startswith('"key";r=40;t=')
    second = post(door, key, events(90))
    assert_limited(second, "rate_limited")
    assert 40 <= int(second.headers["retry-after"]) <= 50
    assert second.headers["ratelimit-policy"] == first.headers["ratelimit-policy"]
    assert "1 events a second" in second.json["detail"]
    assert post(door, key, events(40)).status == 200
    assert books.stored(tenant.id) == 100
    wait_for_drops(books, tenant, {"rate_limited": (90, 1)})


def test_more_at_once_than_a_bucket_holds_is_413(door: Door, tenant: Tenant) -> None:
    answer = post(door, tenant.limited_key(SLOW), events(101))
    assert (answer.status, answer.json["code"]) == (413, "too_many_events")
    assert "at most 100" in answer.json["detail"]
    assert "ratelimit" in answer.headers


def test_keys_share_their_project_s_rate(door: Door, tenant: Tenant) -> None:
    tenant.project.rate_limit, tenant.project.rate_burst = 1, 100
    tenant.project.save()
    mine, yours = tenant.limited_key(Allowance(rate=5)), tenant.another_key("ingest")
    answer = post(door, mine, events(50))
    assert answer.headers["ratelimit-policy"] == (
        '"key";q=50;qu="events";w=10, "project";q=100;qu="events";w=100'
    )
    assert_limited(post(door, yours, events(60)), "rate_limited")
    assert post(door, yours, events(50)).status == 200


def test_processes_share_a_key_s_rate(
    doors: dict[str, Door], ingest_server: int, tenant: Tenant, books: Books
) -> None:
    """What one let through the other knows a moment later; what both let through meanwhile is a debt."""
    key = tenant.limited_key(SLOW)
    assert post(doors["gateway"], key, events(100)).status == 200
    other = ServerDoor(ingest_server)
    sent = 0

    def refused() -> bool:
        nonlocal sent
        answer = post(other, key, events(10))
        sent += answer.status == 200
        return answer.status == 429

    wait_for(refused, seconds=SECONDS, what="the other process to refuse")
    other.close()
    assert sent <= 1
    assert books.stored(tenant.id) == 100 + 10 * sent


def test_a_dry_run_counts_for_the_rate_and_not_for_the_day(door: Door, tenant: Tenant) -> None:
    key = tenant.limited_key(Allowance(rate=1, burst=100, daily=10))
    assert post(door, key, events(80), query="dry_run=1").status == 200
    assert_limited(post(door, key, events(80), query="dry_run=1"), "rate_limited")
    assert post(door, key, events(10)).status == 200


def test_a_key_over_its_day_is_429_until_midnight(door: Door, tenant: Tenant, books: Books) -> None:
    key = tenant.limited_key(Allowance(daily=10))
    first = post(door, key, events(8))
    assert first.status == 200
    assert first.headers["ratelimit-policy"] == '"key-day";q=10;qu="events";w=86400'
    assert first.headers["ratelimit"].startswith('"key-day";r=2;t=')
    second = post(door, key, events(5))
    assert_limited(second, "quota_exceeded")
    assert int(second.headers["retry-after"]) <= 86_400
    assert "has 2 left" in second.json["detail"]
    assert post(door, key, events(2)).status == 200
    assert_limited(post(door, key, events(1)), "quota_exceeded")
    assert books.stored(tenant.id) == 10
    wait_for_drops(books, tenant, {"quota_exceeded": (6, 2)})


def test_a_project_s_day_is_the_sum_of_its_keys(door: Door, tenant: Tenant) -> None:
    tenant.project.daily_quota = 10
    tenant.project.save()
    assert post(door, tenant.limited_key(), events(6)).status == 200
    assert_limited(post(door, tenant.another_key("ingest"), events(6)), "quota_exceeded")


def test_a_day_counts_what_is_stored(gateway: Door, tenant: Tenant) -> None:
    """Not duplicates, not what was refused."""
    post(gateway, tenant.key, [*events(3, id="same"), {"type": "order.placed", "colour": "red"}])
    post(gateway, tenant.key, events(4))
    (used,) = select_usage(project_ids=[tenant.id]).by_key[tenant.id].values()
    assert used == 5


def test_a_process_that_was_just_started_knows_the_day(gateway: Door, tenant: Tenant) -> None:
    key = tenant.limited_key(Allowance(daily=10))
    assert post(gateway, key, events(8)).status == 200
    identity, started = KeyReader().resolve(key), Limiter(url=env.redis_url())
    concurrent.futures.wait(started.pending(identity), timeout=SECONDS)
    with pytest.raises(LimitExceeded, match="has 2 left"):
        started.charge(identity, 3)
    started.close()


def test_a_type_that_the_key_may_not_send_gets_a_verdict(door: Door, tenant: Tenant, books: Books) -> None:
    key = tenant.limited_key(types=["order.*", "ping"])
    answer = post(door, key, [{"type": "order.placed"}, {"type": "user.left", "id": "u"}, {"type": "ping"}])
    assert answer.status == 207
    (error,) = answer.json["errors"]
    assert (error["index"], error["id"], error["code"], error["pointer"]) == (
        1,
        "u",
        "type_not_allowed",
        "/type",
    )
    assert "order.*, ping" in error["message"]
    assert books.stored(tenant.id) == 2
    assert "ratelimit" not in answer.headers
    wait_for_drops(books, tenant, {"type_not_allowed": (1, 0)})


def test_a_key_is_refused_from_elsewhere(door: Door, tenant: Tenant, books: Books) -> None:
    key = tenant.limited_key(addresses=["192.0.2.0/24"])
    answer = post(door, key, events(1), x_forwarded_for="192.0.2.7")
    assert (answer.status, answer.json["code"]) == (403, "address_not_allowed")
    assert "from 127.0.0.1" in answer.json["detail"]
    assert books.stored(tenant.id) == 0
    wait_for_drops(books, tenant, {"address_not_allowed": (0, 1)})


def test_a_key_is_good_from_where_it_is_allowed(door: Door, tenant: Tenant) -> None:
    key = tenant.limited_key(addresses=["192.0.2.0/24", "127.0.0.0/8"])
    assert post(door, key, events(1)).status == 200


@pytest.mark.parametrize("name", ["gateway", "drf"])
def test_a_trusted_proxy_says_whose_request_it_is(
    name: str, doors: dict[str, Door], tenant: Tenant, settings: Settings, books: Books
) -> None:
    settings.TRUSTED_PROXIES = [ip_network("127.0.0.1")]
    key = tenant.limited_key(addresses=["192.0.2.0/24"])
    assert post(doors[name], key, events(1), x_forwarded_for="192.0.2.7").status == 200
    refused = post(doors[name], key, events(1), x_forwarded_for="192.0.2.7, 198.51.100.1")
    assert refused.status == 403


def test_every_dropped_event_is_counted_by_reason(door: Door, tenant: Tenant, books: Books) -> None:
    post(door, tenant.key, b"{", content_type="application/json")
    post(door, tenant.key, [*events(3), {"type": "a", "colour": "red"}], query="on_error=reject")
    post(door, tenant.key, [{}, {}, *events(1)])
    post(door, tenant.key, [{}], query="dry_run=1")
    post(door, tenant.key, [*events(1), {"type": "a", "id": "p", "data": {"tiny": 0}}])
    post(door, tenant.key, b'{"type":"a","id":"q","data":{"tiny":1e-99999}}')
    post(door, tenant.another_key("read"), events(1))
    wait_for_drops(
        books,
        tenant,
        {
            "malformed_json": (0, 1),
            "unknown_field": (1, 0),
            "not_stored": (3, 0),
            "missing_field": (2, 0),
            "not_storable": (1, 0),
            "scope_missing": (0, 1),
        },
    )


def ask(key: str | None) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    response = Client().get("/api/v1/limits", headers=headers)
    assert response.status_code == 200
    document: dict[str, Any] = response.json()
    return document


def test_limits_are_published_without_a_key(books: Books) -> None:
    document = ask(None)
    assert document["events_per_request"] == 5_000
    assert "key" not in document


def test_a_key_reads_its_own_limits_and_what_remains(gateway: Door, tenant: Tenant) -> None:
    tenant.project.daily_quota = 1_000
    tenant.project.save()
    key = tenant.limited_key(Allowance(rate=1, burst=100), types=["order.*"], addresses=["127.0.0.1/32"])
    assert post(gateway, key, events(60)).status == 200
    document = ask(key)
    assert document["events_per_request"] == 100
    assert 40 <= document["key"].pop("remaining_now") < 60
    assert document["key"] == {
        "events_per_second": 1, "events_at_once": 100, "events_per_day": None, "remaining_today": None,
        "expires_at": None, "allowed_types": ["order.*"], "allowed_addresses": ["127.0.0.1/32"],
    }  # fmt: skip
    assert document["project"] == {
        "events_per_second": None, "events_at_once": None, "remaining_now": None,
        "events_per_day": 1_000, "remaining_today": 940,
    }  # fmt: skip


def test_a_bad_key_reads_no_limits() -> None:
    response = Client().get("/api/v1/limits", headers={"Authorization": "Bearer nothing"})
    assert response.status_code == 401
