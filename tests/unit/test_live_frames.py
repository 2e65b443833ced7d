"""What clients may send on the live socket, and how often."""

import pytest

from monitoring.errors import BadFrame
from monitoring.frames import parse
from monitoring.rate import FrameRate


@pytest.mark.parametrize(
    ("text", "verb"),
    [
        ('{"subscribe": "overview", "params": {"project": "demo"}}', "subscribe"),
        (
            '{"subscribe": "overview", "params": {"project": "demo"}, "since": {"epoch": "e", "seq": 4}}',
            "subscribe",
        ),
        ('{"unsubscribe": "overview", "params": {"project": "demo"}}', "unsubscribe"),
        ('{"ack": 4}', "ack"),
        ('{"ping": 0}', "ping"),
        ('{"auth": "sg_x"}', "auth"),
    ],
)
def test_it_reads_every_frame_of_the_protocol(text: str, verb: str) -> None:
    assert parse(text).verb == verb


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("", ""),
        ("{", ""),
        ("[]", ""),
        ("null", ""),
        ('{"subscribe": "weather"}', "subscribe"),
        ('{"subscribe": "overview", "params": {"project": 5}}', "params.project"),
        ('{"subscribe": "overview", "params": {"project": ""}}', "params.project"),
        ('{"subscribe": "overview", "since": {"epoch": "e", "seq": -1}}', "since.seq"),
        ('{"subscribe": "overview", "since": {"epoch": "e"}}', "since"),
        ('{"ack": 1.5}', "ack"),
        ('{"ack": true}', "ack"),
        ('{"auth": 7}', "auth"),
        ('{"params": {"project": "demo", "colour": "red"}}', "params"),
        ("\ud800", ""),
    ],
)
def test_it_names_the_field_of_a_bad_frame(text: str, field: str) -> None:
    with pytest.raises(BadFrame) as caught:
        parse(text)
    assert caught.value.field == field


@pytest.mark.parametrize("text", ["{}", '{"ack": 1, "ping": 1}', '{"topic": "overview"}'])
def test_it_wants_exactly_one_verb(text: str) -> None:
    with pytest.raises(BadFrame, match="exactly one of"):
        _ = parse(text).verb


def test_a_burst_passes_and_a_flood_does_not() -> None:
    now = 0.0
    rate = FrameRate(2.0, 3, lambda: now)
    assert [rate.allows() for _ in range(4)] == [True, True, True, False]
    now = 0.5
    assert [rate.allows() for _ in range(2)] == [True, False]
