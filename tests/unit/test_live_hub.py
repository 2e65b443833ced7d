"""The hub: how often it reads, what it says when it cannot, and that a bug does not hide."""

import asyncio
import threading
from collections.abc import Callable

import pytest
from django.db import OperationalError

from monitoring import hub as module
from monitoring.hub import Hub, Subject
from monitoring.payloads import Overview
from monitoring.state import State
from tests.support.overviews import overview

SUBJECT = Subject("overview", 1, "demo")


class Rows:
    """A database that does as told."""

    def __init__(self) -> None:
        self.reads = 0
        self.failure: Exception | None = None
        self.answering = threading.Event()
        self.answering.set()

    def read(self, project_id: int) -> Overview:
        self.reads += 1
        self.answering.wait(10)
        if self.failure:
            raise self.failure
        return overview(accepted=self.reads)


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> Rows:
    monkeypatch.setattr(module, "SHORTEST_SECONDS", 0.05)
    monkeypatch.setattr(module, "LONGEST_SECONDS", 0.1)
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.2)
    return Rows()


async def until(hub: Hub, member: asyncio.Event, condition: Callable[[State], bool]) -> State:
    async with asyncio.timeout(5):
        while hub.state is None or not condition(hub.state):
            await member.wait()
            member.clear()
    return hub.state


def started(rows: Rows) -> tuple[Hub, asyncio.Event]:
    hub, member = Hub(SUBJECT, rows.read), asyncio.Event()
    hub.members.add(member)
    return hub, member


async def test_it_numbers_every_state(rows: Rows) -> None:
    hub, member = started(rows)
    states = [
        await until(hub, member, lambda state: state.seq == 1),
        await until(hub, member, lambda state: state.seq == 2),
        await until(hub, member, lambda state: state.seq == 3),
    ]
    hub.stop()
    assert [state.data for state in states] == [overview(accepted=reads) for reads in (1, 2, 3)]
    assert {state.epoch for state in states} == {hub.epoch}


async def test_a_flood_of_hints_does_not_make_it_read_faster(
    rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SHORTEST_SECONDS", 0.2)
    monkeypatch.setattr(module, "LONGEST_SECONDS", 60.0)
    hub, _ = started(rows)
    began = asyncio.get_running_loop().time()
    while rows.reads < 4:
        hub.hint()
        await asyncio.sleep(0.005)
    hub.stop()
    assert asyncio.get_running_loop().time() - began >= 0.6


async def test_it_says_that_the_database_is_away_and_recovers(rows: Rows) -> None:
    hub, member = started(rows)
    good = await until(hub, member, lambda state: state.data is not None)
    rows.failure = OperationalError("the database system is shutting down")
    stale = await until(hub, member, lambda state: state.stale_since is not None)
    assert stale.data is not None
    rows.failure = None
    again = await until(hub, member, lambda state: state.stale_since is None and state.seq > stale.seq)
    hub.stop()
    assert again.epoch == good.epoch


async def test_a_database_that_hangs_is_away_too_and_is_not_asked_again_meanwhile(rows: Rows) -> None:
    hub, member = started(rows)
    await until(hub, member, lambda state: state.data is not None)
    rows.answering.clear()
    await until(hub, member, lambda state: state.stale_since is not None)
    asked = rows.reads
    await asyncio.sleep(0.5)
    assert rows.reads == asked
    rows.answering.set()
    await until(hub, member, lambda state: state.stale_since is None)
    hub.stop()


async def test_a_hub_that_never_read_anything_says_so(rows: Rows) -> None:
    rows.failure = OperationalError("refused")
    hub, member = started(rows)
    state = await until(hub, member, lambda state: state.stale_since is not None)
    hub.stop()
    assert state.data is None
    assert '"kind":"snapshot"' in hub.frame(None, "start")


async def test_a_bug_in_reading_ends_the_hub_and_wakes_its_sockets(rows: Rows) -> None:
    rows.failure = TypeError("a bug")
    hub, member = started(rows)
    async with asyncio.timeout(5):
        await member.wait()
    assert hub.failed


async def test_a_frame_is_encoded_once_for_all_sockets_at_the_same_state(rows: Rows) -> None:
    hub, member = started(rows)
    first = await until(hub, member, lambda state: state.seq == 1)
    await until(hub, member, lambda state: state.seq == 2)
    hub.stop()
    assert hub.frame(first, "start") is hub.frame(first, "start")
