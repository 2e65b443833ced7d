"""WS /ws/v1/live: the protocol, who may see what, and what a socket may cost."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from asgiref.sync import sync_to_async
from django.contrib.sessions.models import Session
from django.db import connections

from accounts.models import ApiKey, Membership, User
from accounts.services import create_key, revoke_key
from monitoring.consumers import LiveConsumer
from monitoring.hub import hubs
from monitoring.limits import Limits
from tests.support.live import HintingThread, Place, add_counts, live_client, make_place

pytestmark = pytest.mark.django_db(transaction=True)
QUICK = Limits(recheck_seconds=0.1)


@pytest.fixture
def place(transactional_db: None) -> Place:
    return make_place()


@pytest.fixture(autouse=True)
async def _nothing_stays_open() -> AsyncIterator[None]:
    yield
    assert not LiveConsumer.open_sockets
    await sync_to_async(connections.close_all)()


@pytest.fixture
async def hinting() -> AsyncIterator[HintingThread]:
    thread = HintingThread()
    yield thread
    await thread.close()


async def test_a_page_gets_a_snapshot_then_deltas_that_continue_it(place: Place) -> None:
    await sync_to_async(add_counts)(place.project, accepted=3)
    async with live_client(place.session_key) as client:
        snapshot = await client.subscribe(place.project)
        assert (snapshot["kind"], snapshot["reason"], snapshot["stale"]) == ("snapshot", "start", False)
        assert snapshot["data"]["totals"]["accepted"] == 3
        assert len(snapshot["data"]["series"]["accepted"]) == 900
        await client.send(ack=snapshot["seq"])

        await sync_to_async(add_counts)(place.project, accepted=4)
        delta = await client.receive()
        while "totals" not in delta["data"]:
            before, delta = delta, await client.receive()
            assert delta["after"] == before["seq"]
        assert (delta["kind"], delta["epoch"]) == ("delta", snapshot["epoch"])
        assert delta["data"]["totals"]["accepted"] == 7


async def test_a_hint_is_quicker_than_the_poll(
    place: Place, hinting: HintingThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitoring.hub.LONGEST_SECONDS", 60.0)
    async with live_client(place.session_key) as client:
        first = await client.subscribe(place.project)
        await client.send(ack=first["seq"])
        await sync_to_async(add_counts)(place.project, accepted=4)
        frame = None
        async with asyncio.timeout(10):
            while frame is None:  # the listener subscribes beside the socket: a first hint may be too early
                await hinting.publish(place.project.pk)
                if not await client.communicator.receive_nothing(timeout=0.5):
                    frame = await client.receive()
        assert frame["data"]["totals"]["accepted"] == 4


async def test_two_sockets_share_one_hub_which_ends_with_the_last(place: Place) -> None:
    async with live_client(place.session_key) as one:
        first = await one.subscribe(place.project)
        async with live_client(place.session_key) as two:
            second = await two.subscribe(place.project)
            assert first["epoch"] == second["epoch"]
            assert len(hubs()) == 1
        assert len(hubs()) == 1
    assert len(hubs()) == 0


async def test_since_continues_where_the_client_was(place: Place) -> None:
    async with live_client(place.session_key) as stayed, live_client(place.session_key) as left:
        await stayed.subscribe(place.project)
        held = await left.subscribe(place.project)
        frame = await left.subscribe(place.project, since={"epoch": held["epoch"], "seq": held["seq"]})
        assert (frame["kind"], frame["after"]) == ("delta", held["seq"])


async def test_since_of_another_hub_is_announced_and_answered_with_a_snapshot(place: Place) -> None:
    async with live_client(place.session_key) as client:
        frame = await client.subscribe(place.project, since={"epoch": "another", "seq": 7})
    assert (frame["kind"], frame["reason"]) == ("snapshot", "epoch")


async def test_a_gap_is_announced_and_answered_with_a_snapshot(place: Place) -> None:
    async with live_client(place.session_key) as stayed, live_client(place.session_key) as client:
        held = await stayed.subscribe(place.project)
        frame = await client.subscribe(place.project, since={"epoch": held["epoch"], "seq": 10_000})
    assert (frame["kind"], frame["reason"]) == ("snapshot", "gap")


async def test_after_unsubscribe_nothing_follows(place: Place) -> None:
    async with live_client(place.session_key) as client:
        await client.subscribe(place.project)
        await client.send(unsubscribe="overview", params={"project": place.project.slug})
        assert (await client.receive_when(kind="unsubscribed"))["project"] == place.project.slug
        assert len(hubs()) == 0
        await client.send(ping=5)
        assert await client.receive() == {"pong": 5}


async def test_a_reader_that_never_acknowledges_gets_a_bounded_number_of_frames(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitoring.hub.SHORTEST_SECONDS", 0.02)
    monkeypatch.setattr("monitoring.hub.LONGEST_SECONDS", 0.03)
    limits = Limits(credit=3)
    async with live_client(place.session_key, limits=limits) as slow, live_client(place.session_key) as quick:
        owed = [await slow.subscribe(place.project)]
        newest = await quick.subscribe(place.project)
        await quick.send(ack=newest["seq"])
        while newest["seq"] < owed[0]["seq"] + 12:
            newest = await quick.receive()
            await quick.send(ack=newest["seq"])
        owed += [await slow.receive(), await slow.receive()]
        assert await slow.communicator.receive_nothing(timeout=0.2)

        await slow.send(ack=owed[-1]["seq"])
        latest = await slow.receive()
        assert latest["after"] == owed[-1]["seq"]
        assert latest["seq"] >= newest["seq"], "what it missed is skipped, and the latest is not"


async def test_a_socket_that_owes_acknowledgements_is_closed(place: Place) -> None:
    async with live_client(place.session_key, limits=replace(QUICK, acknowledge_seconds=0.2)) as client:
        await client.subscribe(place.project)
        assert await client.closed() == 4408


async def test_an_acknowledgement_of_what_was_not_sent_is_refused(place: Place) -> None:
    async with live_client(place.session_key) as client:
        await client.subscribe(place.project)
        await client.send(ack=10_000)
        error = await client.receive_when(kind="error")
    assert (error["code"], error["field"]) == ("bad_frame", "ack")


async def test_a_viewer_of_one_project_cannot_see_another(place: Place) -> None:
    other = await sync_to_async(make_place)()
    async with live_client(place.session_key) as client:
        for slug in (other.project.slug, "no-such-project"):
            await client.send(subscribe="overview", params={"project": slug})
            error = await client.receive()
            assert (error["code"], error["field"]) == ("forbidden", "params.project")


async def test_a_key_of_one_project_cannot_see_another(place: Place) -> None:
    other = await sync_to_async(make_place)()
    async with live_client(origin=None) as client:
        await client.send(auth=other.read_key)
        assert (await client.receive())["kind"] == "ready"
        await client.send(subscribe="overview", params={"project": place.project.slug})
        assert (await client.receive())["code"] == "forbidden"


async def test_a_program_authenticates_with_a_key_in_its_first_frame(place: Place) -> None:
    async with live_client(origin=None) as client:
        await client.send(subscribe="overview", params={"project": place.project.slug})
        assert (await client.receive())["code"] == "authentication_required"
        await client.send(auth=place.read_key)
        assert (await client.receive())["kind"] == "ready"
        assert (await client.subscribe(place.project))["kind"] == "snapshot"


async def test_a_key_without_the_scope_read_sees_nothing(place: Place) -> None:
    key = await sync_to_async(create_key)(project=place.project, scopes=["ingest"])
    async with live_client(origin=None) as client:
        await client.send(auth=key.text)
        await client.receive()
        await client.send(subscribe="overview", params={"project": place.project.slug})
        assert (await client.receive())["code"] == "forbidden"


async def test_an_unknown_key_closes_the_socket() -> None:
    async with live_client(origin=None) as client:
        await client.send(auth="sg_nobody")
        assert (await client.receive())["field"] == "auth"
        assert await client.closed() == 4401


async def test_nobody_may_wait_without_credentials() -> None:
    async with live_client(origin=None, limits=replace(QUICK, authenticate_seconds=0.2)) as client:
        assert await client.closed() == 4401


async def test_a_page_that_is_not_signed_in_learns_it_at_once() -> None:
    async with live_client() as client:
        assert (await client.receive())["code"] == "authentication_required"


@pytest.mark.parametrize("origin", [b"http://evil.example", b"http://testserver:81", b"null"])
async def test_a_page_of_another_origin_is_refused(place: Place, origin: bytes) -> None:
    with pytest.raises(ConnectionRefusedError):
        async with live_client(place.session_key, origin=origin):
            pass


async def test_a_cookie_without_an_origin_does_not_count(place: Place) -> None:
    async with live_client(place.session_key, origin=None, ready=False) as client:
        await client.send(subscribe="overview", params={"project": place.project.slug})
        assert (await client.receive())["code"] == "authentication_required"


async def test_the_socket_closes_when_the_session_ends(place: Place) -> None:
    async with live_client(place.session_key, limits=QUICK) as client:
        await client.subscribe(place.project)
        await Session.objects.filter(pk=place.session_key).adelete()
        assert await client.closed() == 4401


async def test_the_socket_closes_when_the_password_changes(place: Place) -> None:
    async with live_client(place.session_key, limits=QUICK) as client:
        await client.subscribe(place.project)
        await sync_to_async(_change_password)(place.viewer)
        assert await client.closed() == 4401


def _change_password(user: User) -> None:
    user.set_password("another long password")
    user.save()


async def test_the_socket_closes_when_the_role_is_lost(place: Place) -> None:
    async with live_client(place.session_key, limits=QUICK) as client:
        await client.subscribe(place.project)
        await Membership.objects.filter(user=place.viewer).adelete()
        assert await client.closed() == 1008


async def test_the_socket_closes_when_the_key_is_revoked(place: Place) -> None:
    async with live_client(origin=None, limits=QUICK) as client:
        await client.send(auth=place.read_key)
        await client.receive()
        await client.subscribe(place.project)
        key = await ApiKey.objects.aget(project=place.project)
        await sync_to_async(revoke_key)(key=key)
        assert await client.closed() == 4401


async def test_a_frame_that_is_too_long_closes_the_socket(place: Place) -> None:
    async with live_client(place.session_key) as client:
        await client.send(auth="x" * 5000)
        assert await client.closed() == 1009


async def test_a_flood_of_frames_closes_the_socket(place: Place) -> None:
    async with live_client(place.session_key, limits=Limits(burst=5)) as client:
        for number in range(7):
            await client.send(ping=number)
        assert await client.closed() == 1008


async def test_a_client_that_only_makes_mistakes_has_to_go(place: Place) -> None:
    async with live_client(place.session_key, limits=Limits(mistakes=3)) as client:
        for _ in range(3):
            await client.send(nonsense=True)
        assert await client.closed() == 1008


async def test_a_binary_frame_is_refused_and_the_next_one_served(place: Place) -> None:
    async with live_client(place.session_key) as client:
        await client.communicator.send_to(bytes_data=b"\x00\xff")
        assert (await client.receive())["code"] == "bad_frame"
        await client.send(ping=1)
        assert await client.receive() == {"pong": 1}


async def test_subscriptions_of_a_socket_are_few(place: Place) -> None:
    other = await sync_to_async(make_place)()
    await Membership.objects.acreate(user=place.viewer, project=other.project)
    async with live_client(place.session_key, limits=Limits(subscriptions=1)) as client:
        await client.subscribe(place.project)
        await client.send(subscribe="overview", params={"project": other.project.slug})
        assert (await client.receive_when(kind="error"))["code"] == "too_many"


async def test_sockets_of_a_process_are_few(place: Place) -> None:
    async with live_client(place.session_key), live_client(limits=Limits(sockets=1)) as client:
        assert (await client.receive())["code"] == "too_many"
        assert await client.closed() == 1013
