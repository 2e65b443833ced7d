"""Delivery against a model of a server that loses answers, refuses events, and chokes on poison."""

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgauge.delivery import Delivery, Post, deliver
from streamgauge.errors import RequestRefused, Undelivered
from streamgauge.events import Prepared
from streamgauge.retries import RetryPolicy
from streamgauge.verdicts import Answer, Lost, Reply, Stopped

Fault = str
KINDS = st.lists(st.sampled_from(["good", "bad", "poison"]), min_size=1, max_size=30)
FAULTS = st.lists(st.sampled_from(["", "lost", "lost after", "503", "500", "429"]), max_size=40)
POLICY = RetryPolicy(attempts=4, total_seconds=30.0)


class Server:
    """Stores each id once. `faults` happen request by request, then all goes well."""

    def __init__(self, faults: list[Fault]) -> None:
        self._faults = list(faults)
        self.stored: Counter[str] = Counter()
        self.requests = 0
        self.now = 0.0

    def answer(self, post: Post) -> Answer:
        self.requests += 1
        self.now += post.after + 0.01
        fault = self._faults.pop(0) if self._faults else ""
        if fault == "lost":
            return Lost("reset", self.now)
        if fault.isdigit():
            return self._reply(int(fault), {})
        status, document = self._judge([prepared.event for prepared in post.events])
        return Lost("reset", self.now) if fault == "lost after" else self._reply(status, document)

    def _judge(self, events: list[dict[str, str]]) -> tuple[int, dict[str, object]]:
        if any(event["type"] == "poison" for event in events):
            return 400, {"code": "too_deep"}
        bad = [place for place, event in enumerate(events) if event["type"] == "bad"]
        good = [event["id"] for event in events if event["type"] == "good"]
        fresh = [identifier for identifier in good if not self.stored[identifier]]
        self.stored.update(fresh)
        errors = [{"index": place, "code": "bad", "message": ""} for place in bad]
        status = 200 if not bad else 207 if good else 422
        return status, {"accepted": len(fresh), "duplicates": len(good) - len(fresh), "errors": errors}

    def _reply(self, status: int, document: dict[str, object]) -> Reply:
        return Reply(status, {}, json.dumps(document).encode(), self.now, 0.0)


def drive(events: list[Prepared], server: Server, policy: RetryPolicy = POLICY) -> Delivery:
    steps = deliver(events, policy, started=0.0, chance=lambda: 0.5)
    post = next(steps)
    while True:
        try:
            post = steps.send(server.answer(post))
        except StopIteration as end:
            delivery: Delivery = end.value
            return delivery


def events_of(kinds: list[str]) -> list[Prepared]:
    return [
        Prepared(str(place), json.dumps({"type": kind, "id": str(place)}).encode())
        for place, kind in enumerate(kinds)
    ]


@given(KINDS, FAULTS)
def test_each_event_has_exactly_one_fate_and_what_is_called_stored_is_stored_once(
    kinds: list[str], faults: list[Fault]
) -> None:
    server = Server(faults)
    delivery = drive(events_of(kinds), server)
    stored = {prepared.id for prepared, _ in delivery.stored}
    rejected = {prepared.id for prepared, _ in delivery.rejected}
    failed = {prepared.id for prepared in delivery.failed}
    assert len(stored) + len(rejected) + len(failed) == len(kinds)
    assert stored | rejected | failed == {str(place) for place in range(len(kinds))}
    assert all(server.stored[identifier] == 1 for identifier in stored)
    assert max(server.stored.values(), default=1) == 1
    assert {kinds[int(identifier)] for identifier in rejected} <= {"bad", "poison"}
    assert (delivery.error is None) == (not failed)


@given(KINDS)
def test_without_faults_every_good_event_is_stored_and_no_other(kinds: list[str]) -> None:
    delivery = drive(events_of(kinds), Server([]))
    assert {prepared.id for prepared, _ in delivery.stored} == {
        str(place) for place, kind in enumerate(kinds) if kind == "good"
    }
    assert delivery.failed == []
    assert delivery.accepted == len(delivery.stored)


def test_it_gives_up_after_the_last_try_and_says_why() -> None:
    server = Server(["503"] * 9)
    delivery = drive(events_of(["good"] * 3), server)
    assert [prepared.id for prepared in delivery.failed] == ["0", "1", "2"]
    assert isinstance(delivery.error, Undelivered)
    assert str(delivery.error) == "the server answered 503, after 4 tries"
    assert server.requests == 4


def test_a_retry_carries_the_very_same_bytes() -> None:
    steps = deliver(events_of(["good", "good"]), POLICY, started=0.0, chance=lambda: 0.5)
    first = next(steps)
    second = steps.send(Lost("reset", 1.0))
    assert list(second.events) == list(first.events)
    assert second.after == POLICY.backoff(1, 0.5)
    assert str(second.again) == "reset"


def test_a_refused_request_is_not_tried_again_and_fails_the_rest() -> None:
    server = Server(["401"])
    delivery = drive(events_of(["good"] * 2), server)
    assert isinstance(delivery.error, RequestRefused)
    assert (len(delivery.failed), server.requests) == (2, 1)


def test_a_stop_ends_the_tries() -> None:
    steps = deliver(events_of(["good"]), POLICY, started=0.0, chance=lambda: 0.5)
    next(steps)
    steps.send(Lost("reset", 1.0))
    with pytest.raises(StopIteration) as end:
        steps.send(Stopped(1.0))
    assert [prepared.id for prepared in end.value.value.failed] == ["0"]
