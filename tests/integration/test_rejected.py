"""/api/v1/rejected: what was refused is found again, corrected, and stored once."""

import base64
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.test import AsyncClient, Client

from accounts.models import AuditEntry, Project, User
from accounts.roles import Role
from accounts.services import add_member, revoke_key
from events.quarantine import bulks, replaying, selectors
from events.quarantine.bulks import run_unfinished
from events.quarantine.replaying import resume_replays
from events.quarantine.rows import Selection
from events.quarantine.services import start_bulk
from tests.support.doors import Door
from tests.support.ingest import Books, Row, Tenant, make_tenant, post

PATH = "/api/v1/rejected"
BAD = b'{"type": "door.opened", "value": "late"}'
GOOD = '{"type": "door.opened", "value": 1}'


class Api:
    """The API as a key sees it."""

    def __init__(self, key: str) -> None:
        self._client = Client(headers={"authorization": f"Bearer {key}"})

    def get(self, path: str = "", **parameters: str) -> Any:
        return self._client.get(PATH + path, parameters)

    def post(self, path: str, body: object = None) -> Any:
        text = msgspec.json.encode({} if body is None else body)
        return self._client.post(PATH + path, text, content_type="application/json")


@pytest.fixture
def api(tenant: Tenant) -> Api:
    return Api(tenant.another_key("manage"))


@pytest.fixture
def refuse(gateway: Door, tenant: Tenant, books: Books) -> Callable[..., list[Row]]:
    """Send events that are refused; the rows that they left."""

    def send(*texts: bytes, key: str | None = None) -> list[Row]:
        before = {row["id"] for row in books.rejected(tenant.id)}
        answer = post(gateway, key or tenant.key, b"\n".join(texts), content_type="application/x-ndjson")
        assert answer.json["rejected"] == len(texts)
        return [row for row in books.rejected(tenant.id) if row["id"] not in before]

    return send


Refuse = Callable[..., list[Row]]


def test_a_corrected_event_is_stored_and_its_row_says_as_what(
    api: Api, refuse: Refuse, tenant: Tenant, books: Books
) -> None:
    (row,) = refuse(BAD)
    answer = api.post(f"/{row['id']}/replay", {"text": GOOD})
    assert answer.status_code == 200
    (event,) = books.events(tenant.id)
    assert answer.json() == {
        "id": str(row["id"]), "result": "replayed", "uid": str(event["uid"]), "error": None
    }  # fmt: skip
    assert (event["value"], event["event_id"]) == (1.0, str(row["id"]))
    (after,) = books.rejected(tenant.id)
    assert (after["state"], after["uid"], after["attempts"]) == ("replayed", event["uid"], 1)
    assert after["changed_at"] is not None
    assert (bytes(after["raw"]), bytes(after["corrected"])) == (BAD, GOOD.encode())


def test_a_cloudevent_is_replayed_as_one(
    api: Api, refuse: Refuse, gateway: Door, tenant: Tenant, books: Books
) -> None:
    event = {"specversion": "1.0", "id": "a", "source": "/s", "type": "a b", "tenant": "acme"}
    answer = post(gateway, tenant.key, event, content_type="application/cloudevents+json")
    assert answer.json["errors"][0]["code"] == "invalid_format"
    (row,) = books.rejected(tenant.id)
    corrected = msgspec.json.encode({**event, "type": "ab"}).decode()
    assert api.post(f"/{row['id']}/replay", {"text": corrected}).status_code == 200
    (stored,) = books.events(tenant.id)
    assert (stored["event_id"], stored["attributes"]) == ("a", {"specversion": "1.0", "tenant": "acme"})


def test_an_event_without_a_time_gets_that_of_its_arrival(
    api: Api, refuse: Refuse, tenant: Tenant, books: Books
) -> None:
    (row,) = refuse(BAD)
    api.post(f"/{row['id']}/replay", {"text": GOOD})
    assert books.events(tenant.id)[0]["time"] == row["received_at"]


def test_a_replay_repeated_changes_nothing_and_answers_alike(
    api: Api, refuse: Refuse, tenant: Tenant, books: Books
) -> None:
    (row,) = refuse(BAD)
    first = api.post(f"/{row['id']}/replay", {"text": GOOD})
    again = api.post(f"/{row['id']}/replay", {"text": GOOD})
    assert (again.status_code, again.json()) == (200, first.json())
    assert api.post(f"/{row['id']}/replay").json() == first.json()
    assert books.stored(tenant.id) == 1
    other = api.post(f"/{row['id']}/replay", {"text": '{"type": "other"}'})
    assert (other.status_code, other.json()["code"]) == (409, "conflict")


def test_what_fails_again_waits_with_the_new_reason_and_makes_no_second_row(
    api: Api, refuse: Refuse, tenant: Tenant, books: Books
) -> None:
    (row,) = refuse(BAD)
    answer = api.post(f"/{row['id']}/replay", {"text": '{"type": "door.shut", "colour": 1}'})
    assert answer.status_code == 422
    assert answer.json()["error"]["pointer"] == "/colour"
    (after,) = books.rejected(tenant.id)
    assert (after["state"], after["code"], after["attempts"]) == ("waiting", "unknown_field", 1)
    assert after["type"] == "door.shut"
    assert books.stored(tenant.id) == 0


def test_what_only_the_database_refuses_waits_again_too(
    api: Api, refuse: Refuse, tenant: Tenant, books: Books
) -> None:
    (row,) = refuse(BAD)
    answer = api.post(f"/{row['id']}/replay", {"text": '{"type": "t", "data": {"x": 1e-99999}}'})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "not_storable")
    (after,) = books.rejected(tenant.id)
    assert (after["state"], after["code"], after["attempts"]) == ("waiting", "not_storable", 1)
    assert api.post(f"/{row['id']}/replay", {"text": GOOD}).status_code == 200
    assert books.stored(tenant.id) == 1


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "empty_request"),
        ("{", "malformed_json"),
        ("{\n", "malformed_json"),
        ('[{"type": "t"}]', "wrong_type"),
        ('[{"type": "t"},\n{"type": "t"}]', "wrong_type"),
        ('{"type": "t"}\n{"type": "t"}', "malformed_json"),
        ("[1],\n[2]", "wrong_type"),
        ("1", "wrong_type"),
        ('{"type": "t", "type": "t"}', "duplicate_key"),
        ('{"type":\n"t", "source": "\\ud800"}', "lone_surrogate"),
    ],
)
def test_only_one_event_can_stand_in_for_one(
    text: str, code: str, api: Api, refuse: Refuse, tenant: Tenant, books: Books
) -> None:
    (row,) = refuse(BAD)
    answer = api.post(f"/{row['id']}/replay", {"text": text})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, code)
    assert books.stored(tenant.id) == 0
    assert len(books.rejected(tenant.id)) == 1


def test_a_sender_that_sent_its_own_correction_makes_the_replay_a_duplicate(
    api: Api, refuse: Refuse, gateway: Door, tenant: Tenant, books: Books
) -> None:
    (row,) = refuse(b'{"type": "t", "id": "a-1", "value": "x"}')
    post(gateway, tenant.key, {"type": "t", "id": "a-1", "value": 5})
    answer = api.post(f"/{row['id']}/replay", {"text": '{"type": "t", "id": "a-1", "value": 6}'})
    (event,) = books.events(tenant.id)
    assert (answer.json()["uid"], event["value"]) == (str(event["uid"]), 5.0)


def test_ten_replays_of_one_row_at_once_store_one_event(refuse: Refuse, tenant: Tenant, books: Books) -> None:
    (row,) = refuse(BAD)
    key = tenant.another_key("manage")
    answers = together([lambda: Api(key).post(f"/{row['id']}/replay", {"text": GOOD}) for _ in range(10)])
    assert [answer.status_code for answer in answers] == [200] * 10
    assert len({answer.json()["uid"] for answer in answers}) == 1
    assert books.stored(tenant.id) == 1
    assert len(books.rejected(tenant.id)) == 1


def test_ten_different_corrections_at_once_store_one_event(
    refuse: Refuse, tenant: Tenant, books: Books
) -> None:
    """Their ids differ, so identity would let all of them in: only the claim stands before that."""
    (row,) = refuse(BAD)
    key = tenant.another_key("manage")
    texts = [f'{{"type": "t", "id": "own-{place}"}}' for place in range(10)]
    calls = [partial(Api(key).post, f"/{row['id']}/replay", {"text": text}) for text in texts]
    answers = together(calls)
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 9
    assert books.stored(tenant.id) == 1


def together(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """Call all at once, each in a thread of its own; their answers."""
    barrier, answers = threading.Barrier(len(calls)), list[Any]()

    def call(work: Callable[[], Any]) -> None:
        barrier.wait(30)
        try:
            answers.append(work())
        finally:
            connections.close_all()

    threads = [threading.Thread(target=call, args=[work]) for work in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(answers) == len(calls)
    return answers


def die(*_: object, **__: object) -> None:
    raise ConnectionAbortedError


def crash_at(place: str, monkeypatch: pytest.MonkeyPatch, work: Callable[[], object]) -> None:
    """The process dies before the event is stored (`_submit`), or after and before its row is marked (`failpoint`)."""
    with monkeypatch.context() as patched:
        patched.setattr(replaying, place, die)
        with pytest.raises(ConnectionAbortedError):
            work()


def test_after_a_crash_before_the_mark_another_text_is_refused_and_the_same_is_stored_once(
    api: Api, refuse: Refuse, tenant: Tenant, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    (row,) = refuse(BAD)
    crash_at("failpoint", monkeypatch, lambda: api.post(f"/{row['id']}/replay", {"text": GOOD}))
    assert books.rejected(tenant.id)[0]["state"] == "replaying"
    other = api.post(f"/{row['id']}/replay", {"text": '{"type": "t", "id": "other"}'})
    assert other.status_code == 409
    assert api.post(f"/{row['id']}/replay").status_code == 200
    assert books.rejected(tenant.id)[0]["state"] == "replayed"
    assert books.stored(tenant.id) == 1


def age(books: Books, row: Row) -> None:
    statement = "UPDATE rejected_event SET changed_at = changed_at - INTERVAL '5 minutes' WHERE id = %(id)s"
    books.execute(statement, {"id": row["id"]})


def test_what_a_crash_left_unmarked_is_finished_without_anybody(
    api: Api, refuse: Refuse, tenant: Tenant, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    (row,) = refuse(BAD)
    crash_at("failpoint", monkeypatch, lambda: api.post(f"/{row['id']}/replay", {"text": GOOD}))
    assert resume_replays() == 0
    age(books, row)
    assert resume_replays() == 1
    (after,) = books.rejected(tenant.id)
    assert (after["state"], after["uid"]) == ("replayed", books.events(tenant.id)[0]["uid"])
    assert books.stored(tenant.id) == 1


def test_a_claim_that_was_never_stored_is_stored_when_it_is_finished(
    api: Api, refuse: Refuse, tenant: Tenant, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    (row,) = refuse(BAD)
    crash_at("_submit", monkeypatch, lambda: api.post(f"/{row['id']}/replay", {"text": GOOD}))
    assert books.stored(tenant.id) == 0
    age(books, row)
    assert resume_replays() == 1
    assert books.stored(tenant.id) == 1
    assert books.rejected(tenant.id)[0]["state"] == "replayed"


def test_a_stale_claim_that_is_refused_by_now_waits_again(
    api: Api, refuse: Refuse, tenant: Tenant, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = (datetime.now(UTC) - timedelta(days=10)).isoformat()
    (row,) = refuse(BAD)
    text = f'{{"type": "t", "time": "{old}"}}'
    crash_at("_submit", monkeypatch, lambda: api.post(f"/{row['id']}/replay", {"text": text}))
    Project.objects.filter(pk=tenant.id).update(raw_retention_days=5)
    age(books, row)
    resume_replays()
    (after,) = books.rejected(tenant.id)
    assert (after["state"], after["code"]) == ("waiting", "time_out_of_range")
    assert books.stored(tenant.id) == 0


def test_a_deleted_project_holds_up_no_other(
    refuse: Refuse, tenant: Tenant, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    (row,) = refuse(b'{"type": "t", "value": "x"}')
    monkeypatch.setattr("events.quarantine.services.AT_ONCE_SECONDS", 0.0)
    monkeypatch.setattr(selectors, "BATCH_ROWS", 1)
    start_bulk(project_id=tenant.id, action="replay", selection=Selection(), created_by="ada")
    books.execute("UPDATE rejected_event SET state = 'replaying' WHERE id = %(id)s", {"id": row["id"]})
    age(books, row)
    tenant.project.delete()
    assert resume_replays() == 1
    assert resume_replays() == 0
    books.execute(
        "UPDATE rejected_event SET state = 'waiting', bulk = NULL WHERE id = %(id)s", {"id": row["id"]}
    )
    assert run_unfinished(seconds=60) == 1
    assert run_unfinished(seconds=60) == 0


def test_an_event_that_was_too_old_is_stored_once_the_retention_is_longer(
    api: Api, refuse: Refuse, tenant: Tenant, books: Books
) -> None:
    old = datetime.now(UTC) - timedelta(days=100)
    (row,) = refuse(msgspec.json.encode({"type": "t", "time": old}))
    assert api.post(f"/{row['id']}/replay").status_code == 422
    Project.objects.filter(pk=tenant.id).update(raw_retention_days=120)
    assert api.post(f"/{row['id']}/replay").status_code == 200
    assert books.events(tenant.id)[0]["time"] == old


def test_waiting_in_the_quarantine_does_not_make_an_event_too_old(books: Books, gateway: Door) -> None:
    tenant = make_tenant(live_limit_days=1)
    now = datetime.now(UTC)
    late, stale = now - timedelta(hours=20), now - timedelta(hours=30)
    texts = [msgspec.json.encode({"type": "t", "time": moment, "value": "x"}) for moment in (late, stale)]
    post(gateway, tenant.key, b"\n".join(texts), content_type="application/x-ndjson")
    statement = (
        "UPDATE rejected_event SET received_at = received_at - INTERVAL '3 hours' WHERE project_id = %(id)s"
    )
    books.execute(statement, {"id": tenant.id})
    api = Api(tenant.another_key("manage"))
    answers = [
        api.post(f"/{row['id']}/replay", {"text": bytes(row["raw"]).decode().replace('"x"', "1")})
        for row in books.rejected(tenant.id)
    ]
    assert [answer.status_code for answer in answers] == [200, 422]
    assert "older than the 1 days" in answers[1].json()["error"]["message"]


def test_an_event_is_judged_by_the_rules_of_its_key_even_after_the_key_is_revoked(
    gateway: Door, books: Books
) -> None:
    """Only a key with the scope backfill may send what is older than the live limit."""
    tenant = make_tenant(live_limit_days=1)
    old = (datetime.now(UTC) - timedelta(days=5)).isoformat()
    for key in (tenant.key, tenant.another_key("ingest", "backfill")):
        post(gateway, key, {"type": "t", "time": old, "value": "x"})
    revoke_key(key=tenant.project.keys.get(scopes__contains=["backfill"]))
    api = Api(tenant.another_key("manage"))
    rows = books.rejected(tenant.id)
    text = f'{{"type": "t", "time": "{old}", "value": 1}}'
    statuses = [api.post(f"/{row['id']}/replay", {"text": text}).status_code for row in rows]
    assert statuses == [422, 200]


def test_the_list_goes_newest_first_by_cursor_and_by_filter(api: Api, refuse: Refuse, tenant: Tenant) -> None:
    refuse(*[b'{"type": "a", "value": "x"}'] * 5)
    refuse(b'{"type": "b", "colour": 1}', b"nonsense")
    first = api.get(limit="3").json()
    second = api.get(limit="3", cursor=first["next"]).json()
    third = api.get(limit="3", cursor=second["next"]).json()
    found = [item for page in (first, second, third) for item in page["items"]]
    assert third["next"] is None
    assert len({item["id"] for item in found}) == 7
    assert [item["received_at"] for item in found] == sorted(
        (item["received_at"] for item in found), reverse=True
    )
    assert [item["code"] for item in api.get(type="b").json()["items"]] == ["unknown_field"]
    assert len(api.get(code="wrong_type").json()["items"]) == 5
    newest = found[0]["received_at"]
    assert len(api.get(**{"from": newest}).json()["items"]) == 2
    assert len(api.get(to=newest).json()["items"]) == 5
    assert api.get(state="replayed").json()["items"] == []


def test_the_groups_count_by_type_and_code(api: Api, refuse: Refuse) -> None:
    refuse(b'{"type": "a", "value": "x"}', b'{"type": "a", "value": "y"}', b'{"type": "b", "colour": 1}')
    groups = api.get("/groups", state="waiting").json()["groups"]
    assert [(each["type"], each["code"], each["count"]) for each in groups] == [
        ("a", "wrong_type", 2),
        ("b", "unknown_field", 1),
    ]


def test_one_event_comes_with_its_bytes_as_text_or_as_base64(
    api: Api, refuse: Refuse, tenant: Tenant
) -> None:
    text, binary = refuse(BAD, b"\xff\xfe")
    found = api.get(f"/{text['id']}").json()
    assert (found["raw"], found["corrected"]) == ({"text": BAD.decode()}, None)
    assert found["key_id"] is not None
    assert found["request_id"] == text["request_id"]
    assert base64.b64decode(api.get(f"/{binary['id']}").json()["raw"]["base64"]) == b"\xff\xfe"


@pytest.fixture
async def _threads_close() -> AsyncIterator[None]:
    yield
    await sync_to_async(connections.close_all)()


@pytest.mark.usefixtures("_threads_close")
async def test_the_download_has_every_row_with_its_bytes_in_bounded_pieces(
    refuse: Refuse, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("events.rejected_documents.CHUNK_BYTES", 1)
    await sync_to_async(refuse)(*[BAD] * 3, b'{"type": "b", "colour": 1}')
    key = await sync_to_async(tenant.another_key)("read")
    headers = {"authorization": f"Bearer {key}"}
    answer: Any = await AsyncClient().get(f"{PATH}/download", {"type": "door.opened"}, headers=headers)
    assert answer.status_code == 200, answer.content
    assert answer["Content-Type"] == "application/x-ndjson"
    pieces = [piece async for piece in answer.streaming_content]
    assert [msgspec.json.decode(piece)["raw"] for piece in pieces] == [{"text": BAD.decode()}] * 3


def test_validating_says_what_is_wrong_and_stores_nothing(
    api: Api, refuse: Refuse, tenant: Tenant, books: Books
) -> None:
    (row,) = refuse(BAD)
    bad = api.post("/validate", {"text": BAD.decode(), "id": str(row["id"])}).json()
    assert (bad["valid"], bad["error"]["pointer"]) == (False, "/value")
    assert api.post("/validate", {"text": GOOD}).json()["valid"] is True
    assert books.stored(tenant.id) == 0
    assert books.rejected(tenant.id) == [row]


def test_a_bulk_with_a_patch_stores_what_it_mends_and_says_what_it_did_not(
    api: Api, refuse: Refuse, tenant: Tenant, books: Books
) -> None:
    refuse(
        b'{"type": "a", "colour": "red", "data": {"n": 12345678901234567890}}',
        b'{"type": "a", "colour": "blue", "value": "x"}',
        b'{"type": "a", "colour": 1, "colour": 2}',
    )
    patch = [{"op": "remove", "pointer": "/colour"}, {"op": "set", "pointer": "/data/by", "value": "ops"}]
    answer = api.post("/replay", {"filter": {"type": "a"}, "patch": patch})
    assert answer.status_code == 200
    progress = answer.json()
    assert [progress[name] for name in ("state", "total", "treated", "replayed", "waiting")] == [
        "finished",
        3,
        3,
        1,
        2,
    ]
    (event,) = books.events(tenant.id)
    assert event["data"] == {"n": 12345678901234567890, "by": "ops"}
    assert {row["code"] for row in books.rejected(tenant.id) if row["state"] == "waiting"} == {
        "wrong_type",
        "duplicate_key",
    }
    listed = api.get(bulk=progress["bulk"], state="waiting").json()["items"]
    assert len(listed) == 2


def test_a_bulk_by_ids_touches_no_other(api: Api, refuse: Refuse, tenant: Tenant, books: Books) -> None:
    rows = refuse(*[b'{"type": "a", "colour": 1}'] * 3)
    patch = [{"op": "remove", "pointer": "/colour"}]
    answer = api.post("/replay", {"ids": [str(rows[0]["id"])], "patch": patch})
    assert answer.json()["replayed"] == 1
    assert books.stored(tenant.id) == 1


def test_discarding_can_be_undone(api: Api, refuse: Refuse, tenant: Tenant, books: Books) -> None:
    rows = refuse(*[BAD] * 3)
    discarded = api.post("/discard", {"filter": {"code": "wrong_type"}}).json()
    assert (discarded["state"], discarded["discarded"]) == ("finished", 3)
    assert {row["state"] for row in books.rejected(tenant.id)} == {"discarded"}
    refused = api.post(f"/{rows[0]['id']}/replay", {"text": GOOD})
    assert (refused.status_code, "restore it first" in refused.json()["detail"]) == (409, True)
    restored = api.post("/restore", {"filter": {"bulk": discarded["bulk"]}}).json()
    assert restored["treated"] == 3
    assert {row["state"] for row in books.rejected(tenant.id)} == {"waiting"}


def test_a_large_bulk_is_finished_by_a_worker_whatever_it_dies_of(
    refuse: Refuse, tenant: Tenant, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selectors, "BATCH_ROWS", 4)
    monkeypatch.setattr("events.quarantine.services.AT_ONCE_SECONDS", 0.0)
    refuse(*[b'{"type": "a", "colour": 1}'] * 10)
    patch = [{"op": "remove", "pointer": "/colour"}]
    begun = Api(tenant.another_key("manage")).post("/replay", {"filter": {}, "patch": patch})
    assert (begun.status_code, begun.json()["state"], begun.json()["replayed"]) == (202, "running", 4)
    crash_at("failpoint", monkeypatch, lambda: run_unfinished(seconds=60))
    for row in books.rejected(tenant.id):
        age(books, row)
    resume_replays()
    run_unfinished(seconds=60)
    api = Api(tenant.another_key("read"))
    progress = api.get(f"/bulks/{begun.json()['bulk']}").json()
    assert (progress["state"], progress["replayed"]) == ("finished", 10)
    assert books.stored(tenant.id) == 10


def test_two_workers_on_one_bulk_store_each_event_once(
    refuse: Refuse, tenant: Tenant, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selectors, "BATCH_ROWS", 7)
    monkeypatch.setattr("events.quarantine.services.AT_ONCE_SECONDS", 0.0)
    monkeypatch.setattr(bulks, "LEASE", timedelta(0))
    refuse(*[b'{"type": "a", "colour": 1}'] * 60)
    patch = [{"op": "remove", "pointer": "/colour"}]
    Api(tenant.another_key("manage")).post("/replay", {"filter": {}, "patch": patch})
    together([lambda: run_unfinished(seconds=60)] * 2)
    assert {row["state"] for row in books.rejected(tenant.id)} == {"replayed"}
    assert books.stored(tenant.id) == 60


def test_a_bulk_leaves_alone_what_comes_after_it_began(
    refuse: Refuse, tenant: Tenant, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selectors, "BATCH_ROWS", 1)
    monkeypatch.setattr("events.quarantine.services.AT_ONCE_SECONDS", 0.0)
    refuse(BAD, BAD)
    progress = start_bulk(project_id=tenant.id, action="replay", selection=Selection(), created_by="ada")
    refuse(BAD)
    run_unfinished(seconds=60)
    assert [row["attempts"] for row in books.rejected(tenant.id)] == [1, 1, 0]
    assert progress.total == 2


def test_every_action_leaves_an_audit_entry_that_says_who_and_how_many(
    api: Api, refuse: Refuse, tenant: Tenant
) -> None:
    (row, *_) = refuse(*[BAD] * 3)
    api.post(f"/{row['id']}/replay", {"text": GOOD})
    api.post("/discard", {"filter": {}})
    entries = AuditEntry.objects.filter(project_id=tenant.id, changes__has_key="action")
    said = [(entry.actor_name, entry.changes["action"][1]) for entry in entries.order_by("timestamp")]
    assert all(actor.startswith("key ") for actor, _ in said)
    assert [what.partition(" (")[0] for _, what in said] == [
        f"replay of refused event {row['id']}",
        "discard of 2 refused events",
    ]


def test_a_key_that_only_reads_may_look_and_not_replay(refuse: Refuse, tenant: Tenant) -> None:
    (row,) = refuse(BAD)
    api = Api(tenant.another_key("read"))
    assert api.get().status_code == 200
    assert api.post("/validate", {"text": GOOD}).status_code == 200
    for path in (f"/{row['id']}/replay", "/replay", "/discard", "/restore"):
        assert api.post(path, {"filter": {}}).status_code == 403, path
    ingest = Api(tenant.key)
    assert ingest.get().status_code == 403
    assert Client().get(PATH).status_code == 401


def test_another_project_sees_and_touches_nothing(refuse: Refuse, tenant: Tenant, books: Books) -> None:
    (row,) = refuse(BAD)
    begun = Api(tenant.another_key("manage")).post("/discard", {"ids": [str(row["id"])]}).json()
    Api(tenant.another_key("manage")).post("/restore", {"filter": {}})
    foreign = Api(make_tenant().another_key("manage"))
    assert foreign.get().json()["items"] == []
    assert foreign.get(f"/{row['id']}").status_code == 404
    assert foreign.get(f"/bulks/{begun['bulk']}").status_code == 404
    assert foreign.post(f"/{row['id']}/replay", {"text": GOOD}).status_code == 404
    assert foreign.post("/validate", {"text": GOOD, "id": str(row["id"])}).status_code == 404
    for path in ("/replay", "/discard", "/restore"):
        assert foreign.post(path, {"ids": [str(row["id"])]}).json()["total"] == 0
        assert foreign.post(path, {"filter": {}}).json()["total"] == 0
    (after,) = books.rejected(tenant.id)
    assert (after["state"], after["attempts"]) == ("waiting", 0)
    assert foreign.get(project=tenant.project.slug).status_code == 403


def test_a_person_with_a_session_needs_the_role_operator(
    refuse: Refuse, tenant: Tenant, books: Books
) -> None:
    (row,) = refuse(BAD)
    statuses = {}
    for role in Role:
        user = User.objects.create_user(f"{role}-{uuid4().hex[:6]}")
        add_member(user=user, project=tenant.project, role=role)
        client = Client()
        client.force_login(user)
        replay = client.post(f"{PATH}/{row['id']}/replay", "{}", content_type="application/json")
        statuses[role] = client.get(PATH).status_code, replay.status_code
    assert statuses == {
        Role.VIEWER: (403, 403),
        Role.ANALYST: (200, 403),
        Role.OPERATOR: (200, 422),
        Role.ADMIN: (200, 422),
    }


@pytest.mark.parametrize(
    "parameters",
    [
        {"cursor": "nonsense"}, {"cursor": "\xff"}, {"cursor": "A" * 32}, {"cursor": "A" * 31}, {"limit": "0"},
        {"limit": "201"}, {"limit": "٣"}, {"state": "gone"}, {"type": "a\0b"}, {"type": "a" * 201}, {"from": "today"},
        {"from": "2026-01-01T00:00:00"}, {"to": "2026-02-30T00:00:00Z"}, {"bulk": "x"}, {"colour": "red"},
    ],
)  # fmt: skip
def test_a_bad_parameter_is_named(api: Api, parameters: dict[str, str]) -> None:
    answer = api.get(**parameters)
    name = next(iter(parameters))
    if parameters.get("cursor", "").count("A") == 32:
        assert answer.status_code == 200  # the first of all rows: before it comes nothing
        return
    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json()["errors"]] == [f"/{name}"]


@pytest.mark.parametrize(
    "body",
    [
        b"{", b"[]", b"\xff", b'{"filter": {}, "ids": []}', b"{}", b'{"ids": ["x"]}', b'{"filter": {"colour": 1}}',
        b'{"filter": {"type": "\\u0000"}}', b'{"filter": {"from": "2026-01-01T00:00:00"}}',
        b'{"filter": {}, "patch": [{"op": "set", "pointer": "/a"}]}',
        b'{"filter": {}, "patch": [{"op": "remove", "pointer": "/a/b"}]}',
        b'{"filter": {}, "patch": [{"op": "remove", "pointer": "a"}]}',
        b'{"filter": {}, "patch": [{"op": "set", "pointer": "/a", "value": 1e400}]}',
        b"[" * 5_000,
    ],
)  # fmt: skip
def test_a_bad_body_is_400(tenant: Tenant, body: bytes) -> None:
    client = Client(headers={"authorization": f"Bearer {tenant.another_key('manage')}"})
    answer = client.post(f"{PATH}/replay", body, content_type="application/json")
    assert answer.status_code == 400, answer.content
    assert answer["Content-Type"] == "application/problem+json"


def test_a_form_is_415_and_an_unknown_event_404(api: Api, tenant: Tenant) -> None:
    client = Client(headers={"authorization": f"Bearer {tenant.another_key('manage')}"})
    assert client.post(f"{PATH}/replay", {"ids": "1"}).status_code == 415
    assert api.get(f"/{UUID(int=1)}").status_code == 404
    assert api.post(f"/{UUID(int=1)}/replay").status_code == 404
