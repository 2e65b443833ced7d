"""The arithmetic of the benchmarks."""

import pytest

from tests.benchmarks.figures import figure, first_seen, percentile, percentiles, render_detail


def test_a_percentile_is_the_nearest_rank_of_the_sample() -> None:
    ordered = [float(number) for number in range(1, 101)]
    assert [percentile(ordered, share) for share in (0.5, 0.95, 0.99, 1.0)] == [50, 95, 99, 100]
    assert percentile([7.0], 0.5) == 7


def test_there_is_no_percentile_of_nothing() -> None:
    with pytest.raises(ValueError, match="empty"):
        percentiles([])


def test_percentiles_do_not_mind_the_order_of_the_sample() -> None:
    assert percentiles([3, 1, 2]) == {"p50": 2, "p95": 3, "p99": 3, "max": 3}


def test_the_ratio_is_of_value_to_limit() -> None:
    assert figure("x", 450, "events/s", limit=1000, detail={})["ratio"] == 0.45
    assert figure("x", 450, "events/s", detail={})["ratio"] is None


def test_an_event_is_seen_by_the_first_later_frame_that_has_counted_it() -> None:
    sent = [(1.0, 10), (2.0, 20), (3.0, 30)]
    seen = [(1.5, 9), (1.7, 10), (2.5, 30), (3.25, 30)]
    assert first_seen(sent, seen) == [pytest.approx(0.7), pytest.approx(0.5), pytest.approx(0.25)]


def test_an_event_that_no_frame_counted_was_not_seen() -> None:
    assert first_seen([(1.0, 10)], [(2.0, 9)]) == [None]


def test_detail_reads_as_a_sentence_of_facts() -> None:
    detail = render_detail({"ids": "none", "events_each": 500, "p50_ms": 1.25})
    assert detail == "ids none, events each 500, p50 ms 1.25"
