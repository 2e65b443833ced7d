"""What each answer means."""

import json
from typing import Any

import pytest

from streamgauge.verdicts import Again, Fault, Halve, Lost, Refusal, Reply, Verdicts, judge


def answered(status: int, document: Any = None, **headers: str) -> Reply:
    return Reply(status, headers, json.dumps(document).encode(), at=0.0, wall=0.0)


def verdicts(accepted: int, duplicates: int, *errors: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"accepted": accepted, "duplicates": duplicates, "errors": list(errors), **more}


BAD = {"index": 1, "id": "x", "code": "wrong_type", "pointer": "/value", "message": "m", "retryable": False}
OTHER = {"index": 0, "id": None, "code": "too_deep", "message": "n"}
REFUSAL = Refusal(1, "wrong_type", "m", "/value")


@pytest.mark.parametrize(
    ("reply", "ruling"),
    [
        (answered(200, verdicts(1, 1)), Verdicts(1, 1)),
        (answered(207, verdicts(1, 0, BAD)), Verdicts(1, 0, (REFUSAL,))),
        (
            answered(202, {**verdicts(2, 0, durability="spooled"), "duplicates": None}),
            Verdicts(2, 0, (), "spooled"),
        ),
        (answered(422, verdicts(0, 0, BAD, OTHER)), Verdicts(0, 0, (REFUSAL, Refusal(0, "too_deep", "n")))),
    ],
    ids=["stored", "some refused", "spooled", "all refused"],
)
def test_an_answer_with_verdicts(reply: Reply, ruling: Verdicts) -> None:
    assert judge(reply, 2) == ruling


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
def test_an_unknown_outcome_is_asked_again(status: int) -> None:
    assert isinstance(judge(answered(status), 2), Again)


def test_a_lost_answer_is_asked_again() -> None:
    assert judge(Lost("reset", 0.0), 2) == Again("reset")


def test_retry_after_is_taken_from_the_answer() -> None:
    ruling = judge(answered(503, {"code": "overloaded"}, **{"retry-after": "3"}), 2)
    assert ruling == Again("the server answered 503 overloaded", 3.0)


@pytest.mark.parametrize("status", [301, 401, 403, 404, 405, 409, 415])
def test_a_refusal_whatever_the_events_are_is_final(status: int) -> None:
    ruling = judge(answered(status, {"code": "why", "detail": "because"}), 2)
    assert isinstance(ruling, Fault)
    assert ruling.error.status == status


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_refusal_for_an_event_is_asked_by_halves_and_is_its_verdict_when_it_stands_alone(
    status: int,
) -> None:
    reply = answered(status, {"code": "too_deep", "detail": "d"})
    assert judge(reply, 2) == Halve()
    assert judge(reply, 1) == Verdicts(0, 0, (Refusal(0, "too_deep", "d"),))


@pytest.mark.parametrize(
    "document",
    [None, [], "hotel wifi", {}, verdicts(1, 0), verdicts(3, 0), verdicts(1, 0, {**BAD, "index": 2}),
     verdicts(0, 0, BAD, BAD), verdicts(1, 0, {"code": "no index"})],
)  # fmt: skip
def test_an_answer_that_does_not_account_for_every_event_is_not_believed(document: Any) -> None:
    ruling = judge(answered(200, document), 2)
    assert isinstance(ruling, Fault)
    assert ruling.error.code == "not_streamgauge"
