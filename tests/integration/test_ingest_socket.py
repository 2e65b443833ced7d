"""WS /ws/v1/ingest: the protocol, each close code, and what a socket may cost. The corpus is run over it elsewhere."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connections

from accounts.allowances import Allowance
from accounts.models import ApiKey
from accounts.services import create_key, revoke_key
from events.consumers import IngestConsumer
from events.errors import Overloaded
from events.limits import QUEUE_EVENTS
from events.websocket.limits import SocketLimits
from events.writer import get_writer
from tests.support.ingest import Books, Tenant
from tests.support.sockets import inner_socket
from tests.support.writers import no_flush_begins

LIMITS = SocketLimits()
QUICK = SocketLimits(recheck_seconds=0.1, drain_seconds=5.0)
GOOD = '{"type":"t"}'


@pytest.fixture(autouse=True)
async def _nothing_stays_open() -> AsyncIterator[None]:
    yield
    assert not IngestConsumer.open_sockets
    await sync_to_async(connections.close_all)()


def bearer(key: str) -> tuple[bytes, bytes]:
    return b"authorization", f"Bearer {key}".encode()


async def test_a_key_in_the_first_frame_opens_the_socket(tenant: Tenant) -> None:
    async with inner_socket() as socket:
        assert await socket.ready(tenant.key) == {
            "ready": tenant.project.slug, "credit": {"events": LIMITS.events, "bytes": LIMITS.bytes},
        }  # fmt: skip


async def test_a_key_in_the_header_opens_the_socket(tenant: Tenant) -> None:
    async with inner_socket(bearer(tenant.key)) as socket:
        assert (await socket.hear())["ready"] == tenant.project.slug


async def test_a_frame_is_acknowledged_once_it_is_committed(tenant: Tenant, books: Books) -> None:
    async with inner_socket() as socket:
        await socket.ready(tenant.key)
        frame = '7\n[{"type":"t","id":"a"},{"type":"t","id":"a"},{"type":"t","colour":"red"}]'
        with no_flush_begins():
            await socket.send(frame)
            assert await socket.communicator.receive_nothing(timeout=0.2)
        said = await socket.hear()
    assert {name: said[name] for name in ("ack", "accepted", "duplicates", "rejected")} == {
        "ack": 7, "accepted": 1, "duplicates": 1, "rejected": 1,
    }  # fmt: skip
    (error,) = said["errors"]
    assert (error["index"], error["code"], error["pointer"]) == (2, "unknown_field", "/colour")
    assert said["credit"] == {"events": 3, "bytes": len(frame) + 100}
    assert books.stored(tenant.id) == 1


async def test_frames_of_one_flush_share_an_answer(tenant: Tenant, books: Books) -> None:
    async with inner_socket() as socket:
        await socket.ready(tenant.key)
        with no_flush_begins():
            for seq in (1, 2, 5):
                await socket.send(f"{seq} ndjson\n{GOOD}\n{GOOD}")
            await until(lambda: get_writer("default").depth[0] == 6)
        said = await socket.hear()
        while said["ack"] < 5:  # the first may have been under way alone
            more = await socket.hear()
            said = {**more, "accepted": said["accepted"] + more["accepted"]}
    assert (said["ack"], said["accepted"], said["errors"]) == (5, 6, [])
    assert books.stored(tenant.id) == 6


async def test_answers_keep_the_order_of_the_frames(tenant: Tenant) -> None:
    """A frame refused at once waits for the verdicts on those before it."""
    async with inner_socket() as socket:
        await socket.ready(tenant.key)
        with no_flush_begins():
            await socket.send(f"1\n{GOOD}")
            await socket.send("2\n{")
            await socket.send(f"3 dry_run=1\n{GOOD}")
            assert await socket.communicator.receive_nothing(timeout=0.2)
        first, second, third = [await socket.hear() for _ in range(3)]
    assert (first["ack"], second["nack"], third["ack"]) == (1, 2, 3)
    assert (second["status"], second["code"], second["retry_after"]) == (400, "malformed_json", None)
    assert third["dry_run"] is True


async def test_ids_are_told_where_they_are_asked_for(tenant: Tenant, books: Books) -> None:
    async with inner_socket() as socket:
        await socket.ready(tenant.key)
        await socket.send(f'1 ndjson ids\n{GOOD}\n{{"type":"t","id":"a"}}')
        ids = (await socket.hear())["ids"]
    assert ids[1] == "a"
    assert ids[0] in {str(row["uid"]) for row in books.events(tenant.id)}


async def test_on_error_reject_stores_nothing(tenant: Tenant, books: Books) -> None:
    async with inner_socket() as socket:
        await socket.ready(tenant.key)
        await socket.send(f"1 on_error=reject\n[{GOOD},{{}}]")
        said = await socket.hear()
    assert (said["accepted"], said["rejected"]) == (0, 1)
    assert books.stored(tenant.id) == 0


@pytest.mark.parametrize(
    ("words", "code"),
    [("xml", "unsupported_media_type"), ("json ndjson", "unsupported_media_type"),
     ("on_error=maybe", "invalid_parameter"), ("colour=red", "invalid_parameter")],
)  # fmt: skip
async def test_an_unknown_word_refuses_the_frame_and_keeps_the_socket(
    tenant: Tenant, words: str, code: str
) -> None:
    async with inner_socket() as socket:
        await socket.ready(tenant.key)
        await socket.send(f"1 {words}\n{GOOD}")
        assert (await socket.hear())["code"] == code
        await socket.send(f"2\n{GOOD}")
        assert (await socket.hear())["accepted"] == 1


async def test_an_overloaded_server_refuses_the_frame_and_keeps_the_socket(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with inner_socket() as socket:
        await socket.ready(tenant.key)
        with monkeypatch.context() as patched:
            patched.setattr("events.services.get_writer", lambda _using: Full())
            await socket.send(f"1\n{GOOD}")
            said = await socket.hear()
        assert (said["nack"], said["status"], said["code"], said["retry_after"]) == (1, 503, "overloaded", 4)
        await socket.send(f"2\n{GOOD}")
        assert (await socket.hear())["accepted"] == 1


class Full:
    """A writer without room."""

    def submit(self, _submission: object) -> None:
        raise Overloaded("The ingest queue is full; send it again, or send less.", retry_after=4)


async def test_credit_shrinks_while_the_queue_is_full_and_grows_back(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = "\n".join([GOOD] * 5_000)
    async with inner_socket() as socket:
        await socket.ready(tenant.key)
        with monkeypatch.context() as patched:
            patched.setattr("events.websocket.outbox.queue_fill", lambda: 1.0)
            for seq, credit in ((1, 0), (2, LIMITS.least_events)):
                await socket.send(f"{seq} ndjson\n{frame}")
                assert (await socket.hear())["credit"]["events"] == credit
        await socket.send(f"3\n{GOOD}")
        assert (await socket.hear())["credit"]["events"] == LIMITS.events - LIMITS.least_events + 1


async def test_sockets_share_half_of_the_queue(tenant: Tenant) -> None:
    async with inner_socket() as one, inner_socket() as two, inner_socket() as three:
        await one.ready(tenant.key)
        await two.ready(tenant.key)
        credit = (await three.ready(tenant.key))["credit"]
    assert credit == {"events": QUEUE_EVENTS // 6, "bytes": LIMITS.bytes}


async def test_more_events_than_credit_closes_the_socket_after_what_was_accepted_is_answered(
    tenant: Tenant, books: Books
) -> None:
    async with inner_socket(limits=replace(QUICK, events=10, least_events=10)) as socket:
        await socket.ready(tenant.key)
        with no_flush_begins():
            await socket.send("1 ndjson\n" + "\n".join([GOOD] * 6))
            await socket.send("2 ndjson\n" + "\n".join([GOOD] * 6))
        acknowledged = 0
        while "ack" in (said := await socket.hear()):
            acknowledged += said["accepted"]
        assert (said["closing"], said["code"]) == (1008, "credit_exceeded")
    assert books.stored(tenant.id) == acknowledged == 12


async def test_more_bytes_than_credit_closes_the_socket(tenant: Tenant) -> None:
    async with inner_socket(limits=replace(QUICK, bytes=2_000, least_bytes=2_000)) as socket:
        await socket.ready(tenant.key)
        for seq in range(1, 20):
            await socket.send(f"{seq}\n{GOOD}")
        assert_closed(await socket.closed(), 1008, "credit_exceeded")


async def test_before_it_is_ready_a_client_has_credit_for_its_key_only() -> None:
    async with inner_socket() as socket:
        await socket.send("x" * 5_000)
        assert_closed(await socket.closed(), 1008, "credit_exceeded")


async def test_empty_frames_are_no_way_to_fill_memory(tenant: Tenant) -> None:
    async with inner_socket(limits=replace(QUICK, bytes=2_000, least_bytes=2_000)) as socket:
        await socket.ready(tenant.key)
        await socket.send("")
        assert_closed(await socket.closed(), 1008, "bad_frame")


async def test_a_frame_one_byte_over_closes_the_socket(tenant: Tenant, books: Books) -> None:
    frame = f"1 ndjson\n{GOOD}".encode().ljust(LIMITS.frame_bytes, b"\n")
    async with inner_socket() as socket:
        await socket.ready(tenant.key)
        await socket.send(frame)
        assert (await socket.hear())["accepted"] == 1
        await socket.send(b"2" + frame[1:] + b"\n")
        assert_closed(await socket.closed(), 1009, "frame_too_large")
    assert books.stored(tenant.id) == 1


@pytest.mark.parametrize(
    "frame", [GOOD, "", "x\n" + GOOD, "-1\n" + GOOD, "0\n" + GOOD, "1.5\n" + GOOD, "9" * 16 + "\n" + GOOD]
)
async def test_a_frame_without_a_seq_closes_the_socket(tenant: Tenant, books: Books, frame: str) -> None:
    async with inner_socket() as socket:
        await socket.ready(tenant.key)
        await socket.send(frame)
        assert_closed(await socket.closed(), 1008, "bad_frame")
    assert books.stored(tenant.id) == 0


async def test_a_seq_that_does_not_grow_closes_the_socket(tenant: Tenant, books: Books) -> None:
    async with inner_socket() as socket:
        await socket.ready(tenant.key)
        await socket.send(f"5\n{GOOD}")
        await socket.send(f"5\n{GOOD}")
        assert (await socket.hear())["ack"] == 5
        assert_closed(await socket.closed(), 1008, "bad_frame")
    assert books.stored(tenant.id) == 1


async def test_a_client_whose_every_frame_is_refused_has_to_go(tenant: Tenant) -> None:
    async with inner_socket(limits=replace(QUICK, mistakes=3)) as socket:
        await socket.ready(tenant.key)
        for seq in (1, 2, 3):
            await socket.send(f"{seq}\n{{")
        assert_closed(await socket.closed(), 1008, "too_many_mistakes")


@pytest.mark.parametrize(
    "frame", ["1\n{}", '{"auth": 7}', '{"key": "x"}', "", b"\xff", '{"auth": "' + "x" * 300 + '"}']
)
async def test_a_first_frame_without_a_key_closes_the_socket(frame: str | bytes) -> None:
    async with inner_socket() as socket:
        await socket.send(frame)
        assert_closed(await socket.closed(), 1008, "authentication_required")


async def test_nobody_may_wait_without_a_key() -> None:
    async with inner_socket(limits=replace(QUICK, authenticate_seconds=0.1)) as socket:
        assert_closed(await socket.closed(), 1008, "authentication_required")


@pytest.mark.parametrize("authorization", [b"Bearer nonsense", b"Basic dXNlcjpwYXNz", b"Bearer sg_\xe9"])
async def test_a_bad_key_in_the_header_closes_the_socket(books: Books, authorization: bytes) -> None:
    async with inner_socket((b"authorization", authorization)) as socket:
        assert_closed(await socket.closed(), 1008, "invalid_key")


async def test_a_key_without_the_scope_closes_the_socket(tenant: Tenant) -> None:
    async with inner_socket() as socket:
        await socket.send(json.dumps({"auth": await sync_to_async(tenant.another_key)("read")}))
        assert_closed(await socket.closed(), 1008, "scope_missing")


async def test_a_key_that_may_not_be_used_from_here_closes_the_socket(tenant: Tenant) -> None:
    created = await sync_to_async(create_key)(
        project=tenant.project, scopes=["ingest"], allowed_addresses=["203.0.113.0/24"]
    )
    async with inner_socket() as socket:
        await socket.send(json.dumps({"auth": created.text}))
        assert_closed(await socket.closed(), 1008, "address_not_allowed")


async def test_a_frame_over_the_rate_of_its_key_is_refused_and_keeps_the_socket(tenant: Tenant) -> None:
    created = await sync_to_async(create_key)(
        project=tenant.project, scopes=["ingest"], allowance=Allowance(rate=1, burst=2)
    )
    async with inner_socket() as socket:
        await socket.ready(created.text)
        await socket.send(f"1\n[{GOOD},{GOOD}]")
        assert (await socket.hear())["accepted"] == 2
        await socket.send(f"2\n[{GOOD},{GOOD}]")
        said = await socket.hear()
    assert (said["nack"], said["status"], said["code"]) == (2, 429, "rate_limited")
    assert said["retry_after"] >= 1


async def test_a_revoked_key_closes_an_idle_socket(tenant: Tenant) -> None:
    async with inner_socket(limits=QUICK) as socket:
        await socket.ready(tenant.key)
        await sync_to_async(revoke)(tenant)
        assert_closed(await socket.closed(), 1008, "invalid_key")


def revoke(tenant: Tenant) -> None:
    revoke_key(key=ApiKey.objects.get(project=tenant.project))


async def test_an_idle_socket_is_closed(tenant: Tenant) -> None:
    async with inner_socket(limits=replace(QUICK, idle_seconds=0.1)) as socket:
        await socket.ready(tenant.key)
        assert_closed(await socket.closed(), 1000, "idle")


async def test_a_verdict_that_is_overdue_is_unknown_and_keeps_the_socket(
    tenant: Tenant, books: Books
) -> None:
    async with inner_socket(limits=replace(QUICK, verdict_seconds=0.2)) as socket:
        await socket.ready(tenant.key)
        with no_flush_begins():
            await socket.send('1\n{"type":"t","id":"a"}')
            said = await socket.hear()
            assert (said["nack"], said["status"], said["code"]) == (1, 503, "outcome_unknown")
        await socket.send('2\n{"type":"t","id":"a"}')
        said = await socket.hear()
        assert (said["ack"], said["duplicates"]) == (2, 1)
    assert books.stored(tenant.id) == 1


async def test_sockets_of_a_process_are_few(tenant: Tenant) -> None:
    async with inner_socket() as one, inner_socket(limits=replace(QUICK, sockets=1)) as other:
        await one.ready(tenant.key)
        assert_closed(await other.closed(), 1013, "overloaded")


async def test_sockets_of_a_key_are_few(tenant: Tenant) -> None:
    limits = replace(QUICK, sockets_per_key=1)
    async with (
        inner_socket() as one,
        inner_socket(limits=limits) as other,
        inner_socket(limits=limits) as third,
    ):
        await one.ready(tenant.key)
        await other.send(json.dumps({"auth": tenant.key}))
        assert_closed(await other.closed(), 1013, "overloaded")
        await third.ready(await sync_to_async(tenant.another_key)("ingest"))


async def test_an_unknown_subprotocol_closes_the_socket() -> None:
    async with inner_socket(subprotocols=["mqtt"]) as socket:
        assert socket.subprotocol is None
        assert_closed(await socket.closed(), 1008, "unknown_subprotocol")


async def test_the_first_known_subprotocol_is_chosen(tenant: Tenant) -> None:
    async with inner_socket(subprotocols=["mqtt", "streamgauge.v1"]) as socket:
        assert socket.subprotocol == "streamgauge.v1"
        await socket.ready(tenant.key)


async def test_cloudevents_come_one_or_many_a_frame(tenant: Tenant, books: Books) -> None:
    """Without seq: the server counts the frames."""
    events = [
        {"specversion": "1.0", "id": name, "source": "/shop", "type": "order.placed", "tenant": "acme"}
        for name in ("a", "b", "c")
    ]
    async with inner_socket(subprotocols=["cloudevents.json"]) as socket:
        await socket.ready(tenant.key)
        await socket.send(json.dumps(events[0]))
        await socket.send(json.dumps([*events[1:], {**events[0], "specversion": "0.3"}]))
        said = [await socket.hear()]
        while said[-1]["ack"] < 2:
            said.append(await socket.hear())
    assert sum(answer["accepted"] for answer in said) == 3
    assert [error["code"] for answer in said for error in answer["errors"]] == ["unsupported_version"]
    stored = books.events(tenant.id)
    assert {row["event_id"]: row["attributes"] for row in stored} == {
        name: {"specversion": "1.0", "tenant": "acme"} for name in ("a", "b", "c")
    }


@pytest.mark.parametrize("origin", [b"http://evil.example", b"http://testserver:81", b"null"])
async def test_a_page_of_another_origin_is_refused(origin: bytes) -> None:
    with pytest.raises(ConnectionRefusedError):
        async with inner_socket((b"origin", origin)):
            pass


async def test_a_restart_answers_what_was_accepted_and_closes_with_1012(tenant: Tenant, books: Books) -> None:
    async with inner_socket() as socket:
        await socket.ready(tenant.key)
        with no_flush_begins():
            await socket.send(f"1\n{GOOD}")
            await until(lambda: get_writer("default").depth[0] == 1)
            await socket.communicator.send_input({"type": "websocket.disconnect", "code": 1012})
            await socket.communicator.send_input({"type": "websocket.receive", "text": f"2\n{GOOD}"})
            assert await socket.communicator.receive_nothing(timeout=0.2)
        assert (await socket.hear())["ack"] == 1
        assert_closed(await socket.closed(), 1012, "restarting")
    assert books.stored(tenant.id) == 1


async def test_a_defect_in_one_frame_costs_the_next_nothing(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with inner_socket() as socket:
        await socket.ready(tenant.key)
        with monkeypatch.context() as patched:
            patched.setattr("events.consumers.ingest_events", broken)
            await socket.send(f"1\n{GOOD}")
            said = await socket.hear()
        assert (said["nack"], said["status"], said["code"]) == (1, 500, "internal_error")
        assert "secret" not in said["detail"]
        await socket.send(f"2\n{GOOD}")
        assert (await socket.hear())["ack"] == 2


def broken(**_arguments: Any) -> int:
    raise ZeroDivisionError("secret")


def assert_closed(closed: tuple[int, dict[str, Any]], close: int, code: str) -> None:
    number, said = closed
    assert (number, said["closing"], said["code"]) == (close, close, code), said
    assert said["detail"].endswith(".")


async def until(condition: Any) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)
