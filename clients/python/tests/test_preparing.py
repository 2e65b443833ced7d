"""Events, ids and bodies before anything is sent."""

import gzip
import json
import os
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest

from streamgauge import InvalidEvent
from streamgauge.bodies import encode_body
from streamgauge.events import Prepared, prepare
from streamgauge.ids import new_id
from streamgauge.limits import Limits

ENDLESS: dict[str, Any] = {}
ENDLESS["self"] = ENDLESS


def prepared(event: Any) -> Prepared:
    return prepare(event, limits=Limits(), new_id=lambda: "made")


def test_ids_are_version_7_and_rise() -> None:
    ids = [new_id() for _ in range(10_000)]
    assert ids == sorted(set(ids))
    assert {UUID(identifier).version for identifier in ids} == {7}


def test_a_forked_process_makes_other_ids() -> None:
    """It would otherwise repeat its parent's, and the server would take them for duplicates."""
    new_id()
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(theirs, " ".join(new_id() for _ in range(50)).encode())
        os._exit(0)
    mine = {new_id()[-12:] for _ in range(50)}
    os.waitpid(child, 0)
    other = {identifier[-12:] for identifier in os.read(ours, 10_000).decode().split()}
    os.close(ours)
    os.close(theirs)
    assert len(other) == 50
    assert not mine & other


def test_an_event_without_an_id_gets_one_and_the_callers_dictionary_stays_as_it_was() -> None:
    for given in ({"type": "a"}, {"type": "a", "id": None}):
        before = dict(given)
        assert prepared(given).event == {"type": "a", "id": "made"}
        assert given == before


def test_an_id_of_the_callers_own_is_kept() -> None:
    assert prepared({"type": "a", "id": "mine"}).id == "mine"


def test_an_aware_datetime_becomes_rfc_3339() -> None:
    time = datetime(2026, 1, 31, 12, tzinfo=timezone(timedelta(hours=1)))
    assert prepared({"type": "a", "time": time}).event["time"] == "2026-01-31T12:00:00+01:00"


@pytest.mark.parametrize(
    ("event", "code"),
    [
        ("door.opened", "wrong_type"),
        ({"type": "a", "id": 7}, "wrong_type"),
        ({"type": "a", "time": datetime(2026, 1, 31)}, "time_without_zone"),
        ({"type": "a", "value": float("inf")}, "not_json"),
        ({"type": "a", "data": {"x": {1, 2}}}, "not_json"),
        ({"type": "a", "data": ENDLESS}, "not_json"),
        ({"type": "a", "data": {"x": "\ud800"}}, "lone_surrogate"),
        ({"type": "a", "data": {"x": "é" * 200_000}}, "event_too_large"),
    ],
)
def test_what_cannot_be_sent_is_refused_by_name(event: Any, code: str) -> None:
    with pytest.raises(InvalidEvent) as refused:
        prepared(event)
    assert refused.value.code == code


def test_a_body_is_compressed_only_when_that_pays() -> None:
    small = [prepared({"type": "a"})]
    large = [prepared({"type": "a", "data": {"text": "x" * 10_000}})] * 3
    noise = [prepared({"type": "a", "data": {"x": os.urandom(50_000).hex()}})]
    assert encode_body(small, compress=True)[1] == {"Content-Type": "application/json"}
    assert "Content-Encoding" not in encode_body(large, compress=False)[1]
    for events in (large, noise):
        body, headers = encode_body(events, compress=True)
        assert headers["Content-Encoding"] == "gzip"
        plain = gzip.decompress(body)
        assert len(body) < len(plain)
        assert json.loads(plain) == [each.event for each in events]
