"""Which windows an event time falls in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processing.windows import Tumbling, is_late, window_ranges

times = st.integers(min_value=-(10**17), max_value=10**17)
sizes = st.integers(min_value=1, max_value=10**15)


@given(time_us=times, size_us=sizes)
def test_a_time_is_in_exactly_one_tumbling_window_of_the_size(time_us: int, size_us: int) -> None:
    [(start, end)] = window_ranges(Tumbling(size_us), time_us)
    assert start <= time_us < end
    assert end - start == size_us


@given(time_us=times, size_us=sizes)
def test_tumbling_windows_are_aligned_to_1970(time_us: int, size_us: int) -> None:
    [(start, _)] = window_ranges(Tumbling(size_us), time_us)
    assert start % size_us == 0


def test_a_time_on_the_edge_belongs_to_the_window_that_begins_there() -> None:
    assert window_ranges(Tumbling(10), 20) == [(20, 30)]
    assert window_ranges(Tumbling(10), 19) == [(10, 20)]


def test_times_before_1970_round_down_too() -> None:
    assert window_ranges(Tumbling(10), -1) == [(-10, 0)]


def test_a_window_without_a_size_is_refused() -> None:
    with pytest.raises(ValueError, match="more than zero"):
        Tumbling(0)


@pytest.mark.parametrize(
    ("watermark_us", "late"),
    [(None, False), (129, False), (130, True), (131, True)],
    ids=["no watermark yet", "inside the lateness", "on the edge", "past it"],
)
def test_an_event_is_late_once_the_watermark_reaches_the_end_and_the_lateness(
    watermark_us: int | None, late: bool
) -> None:
    assert is_late(end_us=100, lateness_us=30, watermark_us=watermark_us) is late
