"""What only the gateway meets: slow and broken-off bodies, too many at once, defects, and its own paths."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from events.errors import Overloaded
from events.gateway import Gateway
from events.writer import close_writers
from tests.support.doors import PATH, Answer, Door, GatewayDoor
from tests.support.ingest import Books, Tenant, post
from tests.support.waiting import wait_for
from tests.support.writers import SECONDS, no_flush_begins

Message = dict[str, Any]


@pytest.fixture
def own(books: Books) -> Iterator[GatewayDoor]:
    """A gateway of the test's own."""
    door = GatewayDoor()
    yield door
    door.close()


def call(
    door: GatewayDoor, messages: list[Message], *, method: str = "POST", path: str = PATH, **headers: str
) -> list[Message]:
    """Run the app on these messages, after which the client says nothing more; what it sent back."""
    sent: list[Message] = []

    async def run() -> None:
        waiting = iter(messages)

        async def receive() -> Message:
            message = next(waiting, None)
            if message is None:
                await asyncio.Event().wait()
            assert message is not None
            return message

        async def send(message: Any) -> None:
            sent.append(message)

        pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        scope = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": pairs}
        await door.app(scope, receive, send)

    door.thread.run(run())
    return sent


def answer_of(sent: list[Message]) -> Answer:
    start, body = sent
    headers = {name.decode(): value.decode() for name, value in start["headers"]}
    return Answer(start["status"], headers, body["body"])


def credentials(tenant: Tenant) -> dict[str, str]:
    return {"authorization": f"Bearer {tenant.key}", "content_type": "application/json"}


def piece(body: bytes, more: bool = True) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


def test_a_body_that_does_not_arrive_is_408(
    own: GatewayDoor, tenant: Tenant, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("events.gateway.BODY_SECONDS", 0.05)
    answer = answer_of(call(own, [piece(b'{"type"')], **credentials(tenant)))
    assert (answer.status, answer.json["code"]) == (408, "body_timeout")
    assert answer.headers["connection"] == "close"
    assert books.stored(tenant.id) == 0


def test_a_client_that_leaves_before_its_body_is_whole_stores_nothing(
    own: GatewayDoor, tenant: Tenant, books: Books
) -> None:
    sent = call(own, [piece(b'{"type":"t"}'), {"type": "http.disconnect"}], **credentials(tenant))
    assert sent == []
    assert books.stored(tenant.id) == 0


def test_bodies_that_arrive_together_are_bounded_and_the_bound_is_given_back(
    own: GatewayDoor, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("events.gateway.READING_BYTES", 100)
    for _ in range(3):
        answer = answer_of(call(own, [piece(b" " * 60), piece(b" " * 60)], **credentials(tenant)))
        assert (answer.status, answer.json["code"]) == (503, "overloaded")
        assert answer.headers["retry-after"] == "1"
        assert post(own, tenant.key, b" " * 80 + b'{"type":"t"}').status == 200


def test_a_body_over_the_limit_without_a_length_is_413(own: GatewayDoor, tenant: Tenant) -> None:
    pieces = [piece(b" " * 1_000_000) for _ in range(11)]
    answer = answer_of(call(own, pieces, **credentials(tenant)))
    assert (answer.status, answer.json["code"]) == (413, "body_too_large")
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize("name", ["gateway", "drf"])
def test_a_database_that_takes_too_long_is_503_and_the_events_may_be_stored(
    name: str, doors: dict[str, Door], tenant: Tenant, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    post(doors[name], tenant.key, {"type": "first"})
    monkeypatch.setattr("events.gateway.VERDICT_SECONDS", 0.05)
    monkeypatch.setattr("events.views.VERDICT_SECONDS", 0.05)
    with no_flush_begins():
        answer = post(doors[name], tenant.key, {"type": "t", "id": "a"})
    assert (answer.status, answer.json["code"]) == (503, "outcome_unknown")
    assert int(answer.headers["retry-after"]) >= 1
    wait_for(
        lambda: books.stored(tenant.id) == 2, seconds=SECONDS, what="the event to be stored all the same"
    )
    monkeypatch.undo()
    assert post(doors[name], tenant.key, {"type": "t", "id": "a"}).json["duplicates"] == 1


def test_a_defect_is_500_without_a_word_of_it(
    own: GatewayDoor, tenant: Tenant, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def defect(**_: object) -> None:
        raise RuntimeError("the secret of the house")

    with monkeypatch.context() as patched:
        patched.setattr("events.gateway.ingest_events", defect)
        answer = post(own, tenant.key, {"type": "t"}, x_request_id="find-me")
    assert (answer.status, answer.json["code"]) == (500, "internal_error")
    assert b"secret" not in answer.body
    assert b"Traceback" not in answer.body
    assert "find-me" in caplog.text
    assert "the secret of the house" in caplog.text
    assert post(own, tenant.key, {"type": "t"}).status == 200


def test_what_the_writer_refuses_at_once_is_503(
    own: GatewayDoor, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(**_: object) -> None:
        raise Overloaded("Full.", retry_after=7)

    monkeypatch.setattr("events.gateway.ingest_events", full)
    answer = post(own, tenant.key, {"type": "t"})
    assert (answer.status, answer.headers["retry-after"]) == (503, "7")


def test_an_ingest_process_tells_its_health(own: GatewayDoor, tenant: Tenant) -> None:
    assert answer_of(call(own, [], method="GET", path="/health/live")).json == {"status": "ok"}
    assert post(own, tenant.key, {"type": "t"}).status == 200
    assert answer_of(call(own, [], method="GET", path="/health/ready")).status == 200


def test_an_ingest_process_says_how_events_are_sent(own: GatewayDoor) -> None:
    answer = answer_of(call(own, [], method="GET", path="/api/v1/events"))
    assert (answer.status, answer.json["code"]) == (405, "method_not_allowed")


@pytest.mark.parametrize("path", ["/", "/api/v1/eventsx", "/api/v1/", "/admin/"])
def test_an_ingest_process_has_nothing_else(own: GatewayDoor, path: str) -> None:
    answer = answer_of(call(own, [], method="POST", path=path))
    assert (answer.status, answer.json["code"]) == (404, "not_found")
    assert "POST /api/v1/events" in answer.json["detail"]


def test_other_paths_go_to_the_app_behind() -> None:
    seen: list[str] = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["path"])

    door = GatewayDoor(app=Gateway(inner))
    try:
        for method, path in [("GET", PATH), ("POST", "/other"), ("GET", "/")]:
            assert call(door, [], method=method, path=path) == []
    finally:
        door.close()
    assert seen == [PATH, "/other", "/"]


def test_the_lifespan_begins_with_a_connection_and_ends_with_what_waits_committed(
    own: GatewayDoor, tenant: Tenant, books: Books
) -> None:
    close_writers()
    said: list[str] = []

    async def live() -> None:
        messages = iter(["lifespan.startup", "lifespan.shutdown"])

        async def receive() -> Message:
            return {"type": next(messages)}

        async def send(message: Any) -> None:
            said.append(message["type"])

        await own.app({"type": "lifespan"}, receive, send)

    own.thread.run(live())
    assert said == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert post(own, tenant.key, {"type": "t"}).status == 200, "a writer is made again when it is needed"
