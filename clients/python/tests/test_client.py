"""The sync client against a real ingest process."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from clients.python.tests.books import Books
from streamgauge import (
    BatchSize,
    Bound,
    BufferFull,
    Client,
    ClientClosed,
    InvalidEvent,
    NotStored,
    Rejected,
    RequestRefused,
    RetryPolicy,
    Stored,
    Undelivered,
)
from streamgauge.limits import Limits

IMPATIENT = RetryPolicy(attempts=2, total_seconds=1, first_seconds=0.01)


def test_every_event_is_stored_once_under_the_id_of_its_receipt(server: str, books: Books) -> None:
    with Client(server, books.key, batch=BatchSize(events=100)) as client:
        receipts = client.send_many({"type": "sent", "value": number} for number in range(1050))
        stored = [receipt.result(30) for receipt in receipts]
    assert {each.durability for each in stored} == {"committed"}
    assert sorted(each.id for each in stored) == books.ids()
    assert client.counts.accepted == 1050


def test_ids_rise_in_the_order_of_sending(server: str, books: Books) -> None:
    with Client(server, books.key) as client:
        ids = [client.send({"type": "sent"}).id for _ in range(500)]
    assert ids == sorted(ids) == books.ids()


def test_a_batch_goes_out_by_age_without_a_flush(server: str, books: Books) -> None:
    with Client(server, books.key, batch=BatchSize(events=1000, seconds=0.05)) as client:
        receipt = client.send({"type": "alone"})
        assert receipt.result(30) == Stored(receipt.id, "committed")


def test_an_id_of_the_callers_own_is_kept_and_stored_once(server: str, books: Books) -> None:
    with Client(server, books.key) as client:
        client.send({"type": "sent", "id": "mine"})
        client.flush()
        client.send({"type": "sent", "id": "mine"}).result(30)
    assert books.ids() == ["mine"]
    assert (client.counts.accepted, client.counts.duplicates) == (1, 1)


def test_a_refused_event_harms_no_other_and_comes_back_as_it_was_sent(server: str, books: Books) -> None:
    with Client(server, books.key) as client:
        good, bad, also_good = client.send_many(
            [{"type": "good"}, {"type": "bad", "colour": "red", "id": "b"}, {"type": "good"}]
        )
        with pytest.raises(Rejected) as refused:
            bad.result(30)
        assert {good.result(30).id, also_good.result(30).id} == {good.id, also_good.id}
    assert refused.value.event == {"type": "bad", "colour": "red", "id": "b"}
    assert (refused.value.code, refused.value.pointer) == ("unknown_field", "/colour")
    assert books.ids() == sorted([good.id, also_good.id])


def test_an_event_that_would_refuse_its_whole_request_is_found_by_halving(server: str, books: Books) -> None:
    """Hundreds of levels: the server answers 400 for the request, not a verdict for the event."""
    deep: dict[str, object] = {}
    for _ in range(400):
        deep = {"deeper": deep}
    events = [{"type": "good"}] * 40 + [{"type": "bad", "data": deep}] + [{"type": "good"}] * 40
    with Client(server, books.key) as client:
        receipts = client.send_many(events)
        with pytest.raises(Rejected, match="too_deep"):
            receipts[40].result(30)
    assert len(books.ids()) == 80


def test_on_rejected_hears_of_each_refused_event(server: str, books: Books) -> None:
    heard: list[Rejected] = []
    with Client(server, books.key, on_rejected=heard.append) as client:
        client.send({"type": "not a type"})
    assert [each.code for each in heard] == ["invalid_format"]


def test_close_raises_the_rejections_that_nobody_asked_about(server: str, books: Books) -> None:
    client = Client(server, books.key)
    client.send({"type": "not a type", "id": "x"})
    with pytest.raises(NotStored) as left:
        client.close()
    assert [each.event["id"] for each in left.value.rejected] == ["x"]


def test_a_failing_callback_stops_nothing(server: str, books: Books) -> None:
    def fail(error: Rejected) -> None:
        raise ValueError("mine")

    client = Client(server, books.key, on_rejected=fail)
    client.send({"type": "not a type"})
    good = client.send({"type": "good"})
    with pytest.raises(NotStored):
        client.close()
    assert books.ids() == [good.id]


def test_a_bad_key_is_told_at_once_and_not_tried_again(server: str) -> None:
    client = Client(server, "sg_none")
    with pytest.raises(RequestRefused) as refused:
        client.send({"type": "sent"}).result(30)
    assert refused.value.status == 401
    assert client.counts.retries == 0
    assert client.close() == 0


def test_when_the_server_is_away_the_receipt_says_so_after_the_last_try(nobody: str) -> None:
    client = Client(nobody, "sg_key", retry=IMPATIENT)
    with pytest.raises(Undelivered, match="2 tries"):
        client.send({"type": "sent"}).result(30)
    client.close()


def test_close_returns_what_it_could_not_send_with_its_ids(nobody: str) -> None:
    client = Client(nobody, "sg_key", retry=RetryPolicy(first_seconds=30, longest_seconds=30))
    sent = [client.send({"type": "sent"}).id for _ in range(3)]
    with pytest.raises(NotStored) as left:
        client.close(timeout=0.5)
    assert [event["id"] for event in left.value.undelivered] == sent


def test_flush_out_of_time_names_what_still_waits_and_goes_on(nobody: str) -> None:
    client = Client(nobody, "sg_key", retry=RetryPolicy(first_seconds=30, longest_seconds=30))
    sent = client.send({"type": "sent"})
    with pytest.raises(NotStored) as waiting:
        client.flush(timeout=0.2)
    assert [event["id"] for event in waiting.value.undelivered] == [sent.id]
    assert not sent.done()
    with pytest.raises(NotStored):
        client.close(timeout=0)


def test_a_full_queue_raises_and_takes_nothing(nobody: str) -> None:
    client = Client(nobody, "sg_key", bound=Bound(events=10), retry=IMPATIENT)
    client.send_many([{"type": "sent"}] * 8)
    with pytest.raises(BufferFull):
        client.send_many([{"type": "sent"}] * 3)
    with pytest.raises(NotStored) as left:
        client.close()
    assert len(left.value.undelivered) == 8


def test_a_full_queue_is_waited_for_when_the_caller_wants_that(server: str, books: Books) -> None:
    batch = BatchSize(events=10, seconds=0.01)
    with Client(server, books.key, bound=Bound(events=20), batch=batch, wait_when_full=30) as client:
        for _ in range(100):
            client.send({"type": "sent"})
    assert len(books.ids()) == 100


def test_what_cannot_be_sent_is_refused_before_anything_is_queued(server: str, books: Books) -> None:
    with Client(server, books.key) as client:
        for bad in ({"type": "x", "value": float("nan")}, {"type": "x", "data": {"blob": "x" * 300_000}}):
            with pytest.raises(InvalidEvent):
                client.send_many([{"type": "good"}, bad])
    assert books.ids() == []


def test_a_closed_client_takes_nothing(nobody: str) -> None:
    client = Client(nobody, "sg_key")
    client.close()
    assert client.close() == 0
    with pytest.raises(ClientClosed):
        client.send({"type": "sent"})


def test_many_threads_may_share_one_client(server: str, books: Books) -> None:
    with Client(server, books.key) as client:
        threads = [
            threading.Thread(target=lambda: [client.send({"type": "sent"}) for _ in range(100)])
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert len(books.ids()) == 400


def test_it_leaves_no_thread_and_no_file_open(server: str, books: Books, tmp_path: Path) -> None:
    def ours() -> int:
        return sum(thread.name == "streamgauge" for thread in threading.enumerate())

    before = ours(), len(list(Path("/proc/self/fd").iterdir()))
    with Client(server, books.key, buffer=tmp_path / "buffer") as client:
        client.send({"type": "sent"}).result(30)
    assert (ours(), len(list(Path("/proc/self/fd").iterdir()))) == before


def test_the_ingest_process_publishes_the_limits_that_the_defaults_expect(server: str) -> None:
    """Were they to differ, a client that could not ask would send requests that are refused."""
    assert Limits.read(httpx.get(f"{server}/api/v1/limits", timeout=30).raise_for_status().json()) == Limits()


def test_batches_are_cut_by_the_limits_that_the_server_publishes() -> None:
    """By a server with narrower limits than the client's batch."""
    sizes: list[int] = []

    class Narrow(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer({"events_per_request": 7})

        def do_POST(self) -> None:
            events = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            sizes.append(len(events))
            self._answer({"accepted": len(events), "duplicates": 0, "errors": []})

        def _answer(self, document: object) -> None:
            body = json.dumps(document).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            """Nothing on stderr."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Narrow) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        with Client(
            f"http://127.0.0.1:{server.server_port}", "sg_key", batch=BatchSize(seconds=0.05)
        ) as client:
            client.send({"type": "first"}).result(30)
            client.send_many([{"type": "then"}] * 20)
        server.shutdown()
        thread.join(10)
    assert sizes == [1, 7, 7, 6]
