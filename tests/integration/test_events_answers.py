"""POST /api/v1/events: what it answers, the same at every door."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from accounts.models import ApiKey
from accounts.services import create_key, revoke_key
from events.limits import MAX_EVENTS
from tests.support.doors import Answer, Door
from tests.support.ingest import Books, Tenant, post
from tests.support.waiting import wait_for

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
PROBLEM = {"type", "title", "status", "code", "detail", "request_id", "errors"}
VERDICTS = {"accepted", "duplicates", "rejected", "ids", "errors"}
GOOD = {"type": "order.placed", "value": 1}
BAD = {"type": "order.placed", "colour": "red"}
# Valid JSON and a finite double, but no `numeric` of PostgreSQL: only the database can refuse it.
POISON = b'{"type":"order.placed","id":"poison","data":{"tiny":1e-99999}}'


def assert_problem(answer: Answer, status: int, code: str) -> None:
    assert (answer.status, answer.json.get("code")) == (status, code), answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json
    assert set(document) == PROBLEM
    assert document["type"] == f"urn:streamgauge:problem:{code}"
    assert document["status"] == status
    assert document["title"]
    assert document["detail"].endswith(".")
    assert document["request_id"] == answer.headers["x-request-id"]
    assert document["errors"] == []


def test_a_good_event_is_200_with_its_id(door: Door, tenant: Tenant, books: Books) -> None:
    answer = post(door, tenant.key, GOOD)
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert set(answer.json) == VERDICTS
    (stored,) = books.events(tenant.id)
    assert answer.json == {
        "accepted": 1, "duplicates": 0, "rejected": 0, "ids": [str(stored["uid"])], "errors": [],
    }  # fmt: skip


def test_ids_come_in_the_order_of_the_events(any_door: Door, tenant: Tenant, books: Books) -> None:
    events = [{**GOOD, "id": f"o-{number}"} if number % 2 else GOOD for number in range(20)]
    ids = post(any_door, tenant.key, events).json["ids"]
    assert ids[1::2] == [f"o-{number}" for number in range(1, 20, 2)]
    assert sorted(ids[::2]) == sorted(
        str(row["uid"]) for row in books.events(tenant.id) if row["event_id"] is None
    )


def test_some_bad_events_are_207_and_the_good_ones_are_stored(
    any_door: Door, tenant: Tenant, books: Books
) -> None:
    answer = post(any_door, tenant.key, [GOOD, {**BAD, "id": "b"}, {**GOOD, "id": "c"}])
    assert answer.status == 207
    assert answer.headers["content-type"] == "application/json"
    body = answer.json
    assert (body["accepted"], body["duplicates"], body["rejected"]) == (2, 0, 1)
    assert body["ids"][1:] == [None, "c"]
    (error,) = body["errors"]
    assert set(error) == {"index", "id", "code", "pointer", "message", "retryable"}
    assert (error["index"], error["id"], error["code"]) == (1, "b", "unknown_field")
    assert (error["pointer"], error["retryable"]) == ("/colour", False)
    assert books.stored(tenant.id) == 2


def test_only_bad_events_are_422_with_problem_and_verdicts(door: Door, tenant: Tenant, books: Books) -> None:
    answer = post(door, tenant.key, [BAD, {}])
    assert answer.status == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(answer.json) == PROBLEM | VERDICTS
    assert answer.json["code"] == "events_rejected"
    assert (answer.json["accepted"], answer.json["rejected"], answer.json["ids"]) == (0, 2, [None, None])
    assert [error["code"] for error in answer.json["errors"]] == ["unknown_field", "missing_field"]
    assert books.stored(tenant.id) == 0


def test_only_bad_events_and_duplicates_are_207(any_door: Door, tenant: Tenant) -> None:
    post(any_door, tenant.key, {**GOOD, "id": "known"})
    answer = post(any_door, tenant.key, [BAD, {**GOOD, "id": "known"}])
    assert answer.status == 207
    assert (answer.json["accepted"], answer.json["duplicates"], answer.json["rejected"]) == (0, 1, 1)
    assert answer.json["ids"] == [None, "known"]


def test_on_error_reject_stores_nothing(any_door: Door, tenant: Tenant, books: Books) -> None:
    answer = post(any_door, tenant.key, [{**GOOD, "id": "a"}, BAD], query="on_error=reject")
    assert answer.status == 422
    assert (answer.json["accepted"], answer.json["rejected"]) == (0, 1)
    assert answer.json["ids"] == [None, None]
    assert [error["index"] for error in answer.json["errors"]] == [1]
    assert books.stored(tenant.id) == 0
    assert books.rejected(tenant.id) == []
    assert books.counts(tenant.id) == {}
    again = post(any_door, tenant.key, [{**GOOD, "id": "a"}], query="on_error=reject")
    assert (again.status, again.json["accepted"]) == (200, 1)


def test_on_error_reject_stores_nothing_when_only_the_database_refuses(
    any_door: Door, tenant: Tenant, books: Books
) -> None:
    body = b'[{"type":"order.placed","id":"a"},%s,{"type":"order.placed"}]' % POISON
    answer = post(any_door, tenant.key, body, query="on_error=reject")
    assert answer.status == 422
    assert (answer.json["accepted"], answer.json["duplicates"]) == (0, 0)
    assert answer.json["ids"] == [None, None, None]
    codes = {error["index"]: error["code"] for error in answer.json["errors"]}
    assert codes == {0: "not_stored", 1: "not_storable", 2: "not_stored"}
    assert books.stored(tenant.id) == 0
    assert books.ledger(tenant.id) == []
    assert books.counts(tenant.id) == {}
    again = post(any_door, tenant.key, {"type": "order.placed", "id": "a"})
    assert (again.status, again.json["accepted"]) == (200, 1)


def test_on_error_reject_is_422_also_when_the_rest_are_duplicates(
    any_door: Door, tenant: Tenant, books: Books
) -> None:
    post(any_door, tenant.key, {**GOOD, "id": "known"})
    body = b'[{"type":"order.placed","id":"known"},%s]' % POISON
    answer = post(any_door, tenant.key, body, query="on_error=reject")
    assert (answer.status, answer.json["accepted"], answer.json["duplicates"]) == (422, 0, 0)
    assert answer.json["ids"] == [None, None]
    assert books.counts(tenant.id) == {"order.placed": (1, 0, 0)}


def test_what_only_the_database_refuses_costs_the_others_nothing(
    any_door: Door, tenant: Tenant, books: Books
) -> None:
    events = [b'{"type":"order.placed","id":"%d"}' % number for number in range(40)]
    events[17] = POISON
    answer = post(any_door, tenant.key, b"[" + b",".join(events) + b"]")
    assert (answer.status, answer.json["accepted"], answer.json["rejected"]) == (207, 39, 1)
    (error,) = answer.json["errors"]
    assert (error["index"], error["id"], error["code"]) == (17, "poison", "not_storable")
    assert books.stored(tenant.id) == 39
    (row,) = books.rejected(tenant.id)
    assert (bytes(row["raw"]), row["position"], row["type"]) == (POISON, 17, "order.placed")
    mended = post(any_door, tenant.key, {"type": "order.placed", "id": "poison"})
    assert (mended.status, mended.json["accepted"]) == (200, 1)


@pytest.mark.parametrize("query", ["dry_run=1", "dry_run=true", "dry_run=1&on_error=reject"])
def test_a_dry_run_stores_nothing(any_door: Door, tenant: Tenant, books: Books, query: str) -> None:
    answer = post(any_door, tenant.key, [GOOD, {**GOOD, "id": "a"}], query=query)
    assert (answer.status, answer.json["accepted"], answer.json["dry_run"]) == (200, 2, True)
    assert answer.json["ids"] == [None, "a"]
    assert books.stored(tenant.id) == 0
    assert books.counts(tenant.id) == {}


def test_a_dry_run_tells_what_would_be_refused(any_door: Door, tenant: Tenant, books: Books) -> None:
    answer = post(any_door, tenant.key, [GOOD, BAD], query="dry_run=1")
    assert (answer.status, answer.json["accepted"], answer.json["rejected"]) == (207, 1, 1)
    assert books.rejected(tenant.id) == []


@pytest.mark.parametrize(
    "query", ["on_error=maybe", "dry_run=yes", "dry_run=", "on_error="], ids=lambda query: query
)
def test_an_unknown_value_of_a_parameter_is_400(door: Door, tenant: Tenant, books: Books, query: str) -> None:
    assert_problem(post(door, tenant.key, GOOD, query=query), 400, "invalid_parameter")
    assert books.stored(tenant.id) == 0


def test_a_usable_request_id_is_echoed(door: Door, tenant: Tenant, books: Books) -> None:
    answer = post(door, tenant.key, [BAD, GOOD], x_request_id="trace:1.2_3-4")
    assert answer.headers["x-request-id"] == "trace:1.2_3-4"
    assert [row["request_id"] for row in books.rejected(tenant.id)] == ["trace:1.2_3-4"]


@pytest.mark.parametrize("sent", [None, "", "with space", "é", "x" * 129, "<b>"])
def test_another_request_id_is_replaced(door: Door, tenant: Tenant, sent: str | None) -> None:
    headers = {} if sent is None else {"x_request_id": sent}
    made = post(door, tenant.key, GOOD, **headers).headers["x-request-id"]
    assert UUID.fullmatch(made)


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz", "Bearer nonsense", "Bearer sg_é", "Token sg_a"],
)
def test_no_key_or_a_malformed_one_is_401(
    door: Door, tenant: Tenant, books: Books, authorization: str | None
) -> None:
    headers = {} if authorization is None else {"authorization": authorization}
    answer = post(door, None, GOOD, **headers)
    assert_problem(answer, 401, "invalid_key")
    assert answer.headers["www-authenticate"] == 'Bearer realm="streamgauge"'


def test_an_unknown_key_is_401(door: Door, tenant: Tenant) -> None:
    changed = tenant.key[:-1] + ("A" if tenant.key[-1] != "A" else "B")
    unknown = "sg_" + "a" * 10 + tenant.key[13:]
    for key in (changed, unknown):
        answer = post(door, key, GOOD)
        assert_problem(answer, 401, "invalid_key")
        assert answer.headers["www-authenticate"] == 'Bearer realm="streamgauge"'


def test_a_revoked_key_is_401_within_a_second(door: Door, tenant: Tenant, books: Books) -> None:
    assert post(door, tenant.key, GOOD).status == 200
    revoke_key(key=ApiKey.objects.get(project=tenant.project))
    refused = wait_for(
        lambda: (answer := post(door, tenant.key, GOOD)).status == 401 and answer,
        seconds=2,
        what="the revoked key to be refused",
    )
    assert isinstance(refused, Answer)
    assert_problem(refused, 401, "invalid_key")


def test_an_expired_key_is_401(door: Door, tenant: Tenant) -> None:
    made = create_key(
        project=tenant.project, scopes=["ingest"], expires_at=datetime.now(UTC) + timedelta(hours=1)
    )
    ApiKey.objects.filter(pk=made.key.pk).update(expires_at=datetime.now(UTC) - timedelta(seconds=1))
    assert_problem(post(door, made.text, GOOD), 401, "invalid_key")


@pytest.mark.parametrize("scopes", [["read"], ["manage", "read"], ["backfill"]])
def test_a_key_without_the_scope_is_403(door: Door, tenant: Tenant, books: Books, scopes: list[str]) -> None:
    assert_problem(post(door, tenant.another_key(*scopes), GOOD), 403, "scope_missing")
    assert books.stored(tenant.id) == 0


def test_authentication_comes_before_the_body(door: Door, tenant: Tenant) -> None:
    assert_problem(post(door, None, b"not json", content_type="text/plain"), 401, "invalid_key")
    assert_problem(post(door, tenant.another_key("read"), b"\xff"), 403, "scope_missing")


@pytest.mark.parametrize(
    "content_type", [None, "", "text/plain", "application/xml", "application/jsonx", "multipart/form-data"]
)
def test_another_content_type_is_415(door: Door, tenant: Tenant, content_type: str | None) -> None:
    assert_problem(post(door, tenant.key, GOOD, content_type=content_type), 415, "unsupported_media_type")


@pytest.mark.parametrize("charset", ["utf-8", "UTF-8", '"utf-8"', "utf8", "us-ascii"])
def test_utf_8_may_be_named(door: Door, tenant: Tenant, charset: str) -> None:
    assert post(door, tenant.key, GOOD, content_type=f"application/json; charset={charset}").status == 200


@pytest.mark.parametrize("charset", ["latin-1", "utf-16", "", '"'])
def test_another_charset_is_415(door: Door, tenant: Tenant, charset: str) -> None:
    answer = post(door, tenant.key, GOOD, content_type=f"application/json; charset={charset}")
    assert_problem(answer, 415, "unsupported_charset")


def test_a_media_type_is_not_case_sensitive(door: Door, tenant: Tenant) -> None:
    assert post(door, tenant.key, GOOD, content_type="Application/JSON").status == 200
    assert post(door, tenant.key, GOOD, content_type="APPLICATION/X-NDJSON;a=b").status == 200


def test_5000_events_are_taken_and_5001_are_413(door: Door, tenant: Tenant, books: Books) -> None:
    events = [{"type": "t"}] * (MAX_EVENTS + 1)
    assert_problem(post(door, tenant.key, events), 413, "too_many_events")
    assert books.stored(tenant.id) == 0
    answer = post(door, tenant.key, events[:-1])
    assert (answer.status, answer.json["accepted"], len(answer.json["ids"])) == (200, 5000, 5000)
    assert books.stored(tenant.id) == 5000


def test_a_key_of_one_project_writes_to_no_other(any_door: Door, tenant: Tenant, books: Books) -> None:
    other = tenant.another_key  # the same project: its keys share ids
    post(any_door, tenant.key, {**GOOD, "id": "one"})
    assert post(any_door, other("ingest"), {**GOOD, "id": "one"}).json["duplicates"] == 1
