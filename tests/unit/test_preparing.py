"""From a decoded event to a prepared one: identity, partition, bounds of time."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.decoding import decode_event
from events.errors import InvalidEvent
from events.identity import identity_key
from events.partitions import PARTITIONS, partition_of
from events.preparing import Bounds, Prepared, microseconds, prepare, time_bounds

NOW_US = 1_790_000_000_123_456
DAY_US = 86_400_000_000
BOUNDS = time_bounds(now_us=NOW_US, retention_days=90)


def prepared(text: str, bounds: Bounds = BOUNDS) -> Prepared:
    event = decode_event(text.encode(), plain=True)
    return prepare(event, position=3, project_id=7, now_us=NOW_US, bounds=bounds)


@given(st.datetimes(timezones=st.just(UTC)))
def test_microseconds_are_exact(moment: datetime) -> None:
    assert datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds(moment)) == moment


def test_an_id_of_the_sender_decides_the_identity() -> None:
    event = prepared('{"type":"t","id":"a","source":"s"}')
    assert event.uid == identity_key(7, "s", "a")
    assert (event.identified, event.id, event.position, event.project_id) == (True, "a", 3, 7)


def test_without_an_id_the_server_makes_a_uuid_7() -> None:
    one, two = prepared('{"type":"t"}'), prepared('{"type":"t"}')
    assert one.uid != two.uid
    assert UUID(one.id).bytes == one.uid
    assert UUID(one.id).version == 7
    assert not one.identified


def test_without_a_time_it_is_now() -> None:
    assert prepared('{"type":"t"}').time_us == NOW_US
    assert prepared('{"type":"t","time":null}').time_us == NOW_US


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('"key":"k","subject":"s","source":"o","id":"i"', "k"),
        ('"subject":"s","source":"o","id":"i"', "s"),
        ('"key":"","subject":"","source":"o","id":"i"', "o"),
        ('"id":"i"', "i"),
    ],
)
def test_the_partition_key_falls_back(text: str, key: str) -> None:
    event = prepared(f'{{"type":"t",{text}}}')
    assert (event.key, event.partition) == (key, partition_of(7, key))


@given(st.integers(1, 2**31 - 1), st.text())
def test_a_partition_is_one_of_the_fixed_number(project: int, key: str) -> None:
    assert 0 <= partition_of(project, key) < PARTITIONS


def test_a_partition_never_changes_between_versions() -> None:
    """Per-key order would break on an upgrade."""
    assert [partition_of(1, key) for key in ("", "a", "N14228", "ü")] == [1, 21, 11, 20]


@pytest.mark.parametrize(
    ("offset_us", "inside"),
    [(DAY_US, True), (DAY_US + 1, False), (-90 * DAY_US, True), (-90 * DAY_US - 1, False)],
)
def test_the_bounds_of_time_are_inclusive(offset_us: int, inside: bool) -> None:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=NOW_US + offset_us)
    text = f'{{"type":"t","time":"{moment.isoformat()}"}}'
    if inside:
        assert prepared(text).time_us == NOW_US + offset_us
        return
    with pytest.raises(InvalidEvent) as caught:
        prepared(text)
    assert (caught.value.code, caught.value.pointer) == ("time_out_of_range", "/time")
    assert ("ahead" if offset_us > 0 else "90 days") in caught.value.message


def test_data_is_kept_as_it_was_written() -> None:
    assert prepared('{"type":"t","data":{ "b":1.0,"a":[ ]}}').data == b'{ "b":1.0,"a":[ ]}'
    assert prepared('{"type":"t","data":null}').data == b""
    assert prepared('{"type":"t","data":{}}').data == b"{}"


def test_a_whole_number_is_a_value_too() -> None:
    event = prepared('{"type":"t","value":3}')
    assert event.value == 3.0
    assert type(event.value) is float


def test_thousands_of_different_keys_are_packed_rightly() -> None:
    """The packed forms are kept within a bound, and forgotten past it."""
    first = prepared('{"type":"t","id":"i","key":"k0"}').row
    for number in range(5_000):
        assert b"k%d" % number in prepared(f'{{"type":"t","key":"k{number}"}}').row
    assert prepared('{"type":"t","id":"i","key":"k0"}').row == first
