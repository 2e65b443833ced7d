"""What the core decides, by a clock of the test's."""

import pytest

from streamgauge.batching import BatchSize
from streamgauge.core import POLL_SECONDS, Bound, Core, Direct, Drain, Spill
from streamgauge.delivery import Delivery
from streamgauge.errors import BufferFull, ClientClosed, NotStored, RequestRefused, Undelivered
from streamgauge.receipts import Receipt
from streamgauge.retries import RetryPolicy
from streamgauge.verdicts import Lost

RETRY = RetryPolicy(first_seconds=2.0, longest_seconds=10.0)


def core(*, has_disk: bool = False, bound: Bound | None = None) -> Core:
    return Core(
        batch=BatchSize(events=2, seconds=1.0),
        retry=RETRY,
        bound=bound or Bound(),
        has_disk=has_disk,
        chance=lambda: 1.0,
    )


def add(core: Core, count: int, now: float = 0.0) -> list[Receipt]:
    receipts = [core.prepare({"type": "t"}) for _ in range(count)]
    assert core.add(receipts, now)
    return receipts


def failed(error: Undelivered, retry_after: float | None = None) -> Delivery:
    return Delivery(error=error, retry_after=retry_after)


def test_it_sends_a_full_batch_at_once_and_the_rest_when_it_is_old_enough() -> None:
    subject = core()
    receipts = add(subject, 3)
    assert subject.next(0.0) == Direct(receipts[:2])
    subject.landed([])
    assert subject.next(0.25) == 0.75
    assert subject.next(1.0) == Direct(receipts[2:])
    subject.landed([])
    assert subject.idle


@pytest.mark.parametrize("hurry", ["flushing", "closing"])
def test_a_flush_and_a_close_do_not_wait_for_age(hurry: str) -> None:
    subject = core()
    receipts = add(subject, 1)
    setattr(subject, hurry, True)
    assert subject.next(0.0) == Direct(receipts)


def test_a_closing_core_is_done_when_nothing_waits() -> None:
    subject = core()
    subject.closing = True
    assert subject.next(0.0) is None
    with pytest.raises(ClientClosed):
        subject.prepare({"type": "t"})


def test_what_lies_on_disk_is_looked_at_at_once_and_then_now_and_again() -> None:
    subject = core(has_disk=True)
    assert subject.next(0.0) == Drain()
    subject.drained(more=False, now=0.0)
    assert subject.next(0.0) == POLL_SECONDS
    subject.drained(more=True, now=1.0)
    assert subject.next(1.0) == Drain()


def test_while_the_server_is_away_events_go_to_disk_until_it_may_be_asked_again() -> None:
    subject = core(has_disk=True)
    subject.delivered(failed(Undelivered("reset")), now=0.0)
    assert subject.is_away(1.9)
    receipts = add(subject, 1, now=1.0)
    assert subject.next(1.0) == Spill(receipts)
    subject.landed([])
    subject.buffered(1, now=1.0)
    assert subject.next(1.0) == 1.0
    assert not subject.is_away(2.0)
    assert subject.next(2.0) == Drain()


def test_the_waits_double_while_the_server_is_away_and_end_with_a_success() -> None:
    subject = core(has_disk=True)
    for wait in (2.0, 4.0, 8.0, 10.0):
        subject.delivered(failed(Undelivered("reset")), now=0.0)
        assert (subject.is_away(wait - 0.1), subject.is_away(wait)) == (True, False)
    subject.delivered(Delivery(), now=0.0)
    assert not subject.is_away(0.0)


def test_a_retry_after_is_waited_for_before_the_disk_is_drained() -> None:
    subject = core(has_disk=True)
    subject.delivered(failed(Undelivered("429"), retry_after=30.0), now=0.0)
    assert subject.next(31.9) == pytest.approx(0.1)
    assert subject.next(32.0) == Drain()


def test_a_refused_request_is_no_reason_to_think_the_server_away() -> None:
    subject = core(has_disk=True)
    subject.delivered(failed(RequestRefused(401, "invalid_key", "")), now=0.0)
    assert not subject.is_away(0.0)


@pytest.mark.parametrize(("has_disk", "tries"), [(True, 1), (False, RETRY.attempts)])
def test_with_a_disk_there_is_one_try_and_without_as_many_as_the_policy_says(
    has_disk: bool, tries: int
) -> None:
    subject = core(has_disk=has_disk)
    (receipt,) = add(subject, 1)
    steps = subject.deliver([receipt.prepared], now=0.0)
    next(steps)
    for _ in range(tries - 1):
        steps.send(Lost("reset", 0.0))
    with pytest.raises(StopIteration):
        steps.send(Lost("reset", 0.0))


def test_events_nobody_could_store_come_back_in_order_after_a_pause() -> None:
    subject = core(has_disk=True)
    subject.drained(more=False, now=0.0)
    receipts = add(subject, 4)
    assert subject.next(0.0) == Direct(receipts[:2])
    subject.delivered(failed(Undelivered("reset")), now=0.0)
    subject.put_back(receipts[:2], now=0.0)
    wait = subject.next(1.0)
    assert isinstance(wait, float)
    assert 0 < wait <= 1.0
    assert subject.next(2.0) == Direct(receipts[:2])


def test_failures_that_nobody_heard_of_count_against_the_bound_until_they_are_told() -> None:
    subject = core(bound=Bound(events=2))
    receipts = add(subject, 2)
    subject.next(0.0)
    for receipt in receipts:
        receipt.fail(Undelivered("reset"))
    subject.landed(receipts, 2)
    (more,) = [subject.prepare({"type": "t"})]
    assert not subject.add([more], 0.0)
    assert "2 of them failed" in str(subject.no_room())
    with pytest.raises(NotStored) as told:
        subject.require_stored()
    assert [event["id"] for event in told.value.undelivered] == [receipt.id for receipt in receipts]
    assert subject.add([more], 0.0)


def test_a_failure_that_somebody_asked_about_is_not_told_twice() -> None:
    subject = core()
    (receipt,) = add(subject, 1)
    subject.flushing = True
    subject.next(0.0)
    receipt.fail(Undelivered("reset"))
    subject.landed([receipt], 1)
    with pytest.raises(Undelivered):
        receipt.result(0)
    subject.require_stored()


def test_more_than_the_bound_at_once_is_refused_whatever_waits() -> None:
    subject = core(bound=Bound(events=2))
    with pytest.raises(BufferFull, match="fewer"):
        subject.add([subject.prepare({"type": "t"}) for _ in range(3)], 0.0)
