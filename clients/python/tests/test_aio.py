"""The async client: the same promises."""

import asyncio
from pathlib import Path

import pytest

from clients.python.tests.books import Books
from streamgauge import (
    AsyncClient,
    BatchSize,
    Bound,
    BufferFull,
    NotStored,
    Rejected,
    RequestRefused,
    RetryPolicy,
    Undelivered,
)
from tests.support.stack import Stack

SMALL = BatchSize(events=20, seconds=0.01)
IMPATIENT = RetryPolicy(attempts=2, total_seconds=1, first_seconds=0.01)
PATIENT = RetryPolicy(attempts=100, total_seconds=100, first_seconds=0.1, longest_seconds=1)


async def test_receipts_are_awaited_and_every_event_is_stored_once(server: str, books: Books) -> None:
    async with AsyncClient(server, books.key, batch=BatchSize(events=100)) as client:
        receipts = await client.send_many({"type": "sent", "value": number} for number in range(450))
        stored = await asyncio.gather(*receipts)
    assert sorted(each.id for each in stored) == books.ids()


async def test_many_tasks_may_share_one_client(server: str, books: Books) -> None:
    async with AsyncClient(server, books.key, batch=SMALL) as client:

        async def send_some() -> None:
            for _ in range(50):
                await (await client.send({"type": "sent"}))

        async with asyncio.TaskGroup() as tasks:
            for _ in range(8):
                tasks.create_task(send_some())
    assert len(books.ids()) == 400


async def test_whoever_stops_waiting_cancels_nothing(server: str, books: Books) -> None:
    async with AsyncClient(server, books.key, batch=BatchSize(seconds=0.3)) as client:
        receipt = await client.send({"type": "sent"})
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(receipt, 0.01)
        assert (await receipt).id == receipt.id
    assert books.ids() == [receipt.id]


async def test_a_refused_event_raises_where_it_is_awaited(server: str, books: Books) -> None:
    async with AsyncClient(server, books.key) as client:
        good, bad = await client.send_many([{"type": "good"}, {"type": "not a type"}])
        with pytest.raises(Rejected, match="invalid_format"):
            await bad
        await good
    assert books.ids() == [good.id]


async def test_a_bad_key_and_a_server_that_is_away_are_told(server: str, nobody: str) -> None:
    for url, error in ((server, RequestRefused), (nobody, Undelivered)):
        client = AsyncClient(url, "sg_none", retry=IMPATIENT)
        with pytest.raises(error):
            await (await client.send({"type": "sent"}))
        await client.close()


async def test_close_out_of_time_returns_what_is_left_with_its_ids(nobody: str) -> None:
    client = AsyncClient(nobody, "sg_key", retry=RetryPolicy(first_seconds=30, longest_seconds=30))
    sent = [(await client.send({"type": "sent"})).id for _ in range(3)]
    with pytest.raises(NotStored) as left:
        await client.close(timeout=0.3)
    assert [event["id"] for event in left.value.undelivered] == sent


async def test_flush_waits_for_verdicts_only_as_long_as_it_is_told(
    server: str, nobody: str, books: Books
) -> None:
    async with AsyncClient(server, books.key, batch=BatchSize(seconds=60)) as client:
        receipt = await client.send({"type": "sent"})
        await client.flush()
        assert receipt.done()
    away = AsyncClient(nobody, "sg_key", retry=RetryPolicy(first_seconds=30, longest_seconds=30))
    await away.send({"type": "sent"})
    with pytest.raises(NotStored):
        await away.flush(timeout=0.1)
    with pytest.raises(NotStored):
        await away.close(timeout=0)


async def test_a_full_queue_raises_or_is_waited_for(server: str, nobody: str, books: Books) -> None:
    client = AsyncClient(nobody, "sg_key", bound=Bound(events=5), retry=IMPATIENT)
    await client.send_many([{"type": "sent"}] * 5)
    with pytest.raises(BufferFull):
        await client.send({"type": "sent"})
    with pytest.raises(NotStored):
        await client.close()
    async with AsyncClient(
        server, books.key, bound=Bound(events=5), batch=SMALL, wait_when_full=30
    ) as patient:
        for _ in range(50):
            await patient.send({"type": "sent"})
    assert len(books.ids()) == 50


async def test_events_on_disk_are_sent_by_the_next_client(
    server: str, nobody: str, books: Books, tmp_path: Path
) -> None:
    path = tmp_path / "buffer.sqlite"
    client = AsyncClient(nobody, books.key, buffer=path)
    receipts = await client.send_many([{"type": "sent"}] * 10)
    assert {stored.durability for stored in await asyncio.gather(*receipts)} == {"buffered"}
    assert await client.close() == 10
    following = AsyncClient(server, books.key, buffer=path)
    async with following:
        await following.flush()
    assert books.ids() == sorted(receipt.id for receipt in receipts)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("buffered", [False, True], ids=["from memory", "by the disk"])
async def test_a_server_killed_in_mid_stream_stores_every_event_once(
    buffered: bool, stack: Stack, books: Books, tmp_path: Path
) -> None:
    serving = await asyncio.to_thread(stack.start_ingest)
    buffer = tmp_path / "buffer.sqlite" if buffered else None
    sent: list[str] = []
    client = AsyncClient(
        f"http://127.0.0.1:{serving.port}", books.key, batch=SMALL, retry=PATIENT, buffer=buffer
    )
    async with client:
        async with asyncio.timeout(60):
            while client.counts.accepted < 100:
                sent.append((await client.send({"type": "streamed"})).id)
                await asyncio.sleep(0)
        await asyncio.to_thread(serving.process.kill)
        receipts = await client.send_many([{"type": "streamed"}] * 100)
        sent += [receipt.id for receipt in receipts]
        async with asyncio.timeout(60):
            while client.trouble is None:
                await asyncio.sleep(0.01)
        await asyncio.to_thread(stack.start_ingest, serving.port)
        async with asyncio.timeout(60):
            await asyncio.gather(*receipts)
            while await client.on_disk():
                await asyncio.sleep(0.05)
    assert books.ids() == sorted(sent)
