"""Cutting: no batch over a bound, nothing lost, nothing out of order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgauge.batching import BatchSize, Queue, fitting
from streamgauge.limits import Limits

SIZES = st.lists(st.integers(1, 200), max_size=60)
MOST = st.builds(BatchSize, events=st.integers(1, 20), bytes=st.integers(1, 500))


@given(SIZES, MOST)
def test_batches_are_in_order_whole_and_within_both_bounds(sizes: list[int], most: BatchSize) -> None:
    queue: Queue[int] = Queue()
    for number, size in enumerate(sizes):
        queue.add(number, size, now=0.0)
    batches = []
    while queue:
        batches.append(queue.take(most))
    assert [item for batch in batches for item, _ in batch] == list(range(len(sizes)))
    assert queue.bytes == 0
    for batch in batches:
        body = len(b"[" + b",".join(b"x" * size for _, size in batch) + b"]")
        assert len(batch) <= most.events
        assert body <= most.bytes + 1 or len(batch) == 1


@given(SIZES, MOST)
def test_a_batch_is_as_large_as_it_may_be(sizes: list[int], most: BatchSize) -> None:
    count = fitting(sizes, most)
    if count < len(sizes):
        one_more = sum(size + 1 for size in sizes[: count + 1]) + 2
        assert count == most.events or one_more > most.bytes


@given(SIZES.filter(len), MOST)
def test_what_is_put_back_comes_out_first_and_as_before(sizes: list[int], most: BatchSize) -> None:
    queue: Queue[int] = Queue()
    for number, size in enumerate(sizes):
        queue.add(number, size, now=0.0)
    total = queue.bytes
    queue.put_back(queue.take(most), now=1.0)
    assert (list(queue), queue.bytes) == (list(range(len(sizes))), total)


def test_a_batch_is_due_by_count_by_bytes_or_by_age() -> None:
    most = BatchSize(events=3, bytes=100, seconds=0.5)
    queue: Queue[str] = Queue()
    assert queue.due_in(most, now=10.0) is None
    queue.add("a", 10, now=10.0)
    assert queue.due_in(most, now=10.2) == pytest.approx(0.3)
    assert queue.due_in(most, now=10.5) == 0.0
    queue.add("b", 90, now=10.0)
    assert queue.due_in(most, now=10.0) == 0.0
    queue.take(BatchSize(events=1))
    queue.add("c", 1, now=10.0)
    assert (queue.due_in(most, now=10.0) or 0) > 0
    queue.add("d", 1, now=10.0)
    assert queue.due_in(most, now=10.0) == 0.0


def test_the_servers_limits_lower_a_batch_and_never_raise_it() -> None:
    limits = Limits.read({"events_per_request": 7, "request_bytes": 900, "request_bytes_decompressed": 800})
    assert BatchSize(500, 10_000, 1.0).within(limits) == BatchSize(7, 800, 1.0)
    assert BatchSize(5, 100, 1.0).within(limits) == BatchSize(5, 100, 1.0)


def test_senseless_limits_keep_the_defaults() -> None:
    documents: list[object] = [
        None,
        [],
        {},
        {"event_bytes": "9", "events_per_request": 0, "request_bytes": True},
    ]
    for document in documents:
        assert Limits.read(document) == Limits()
