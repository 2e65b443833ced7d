"""The latency histogram: counts that add up, percentiles within a bucket."""

import random
from itertools import pairwise

import pytest

from telemetry.latency import BOUNDS_MS, LatencyHistogram, percentile


def observed(*milliseconds: float) -> list[int]:
    histogram = LatencyHistogram()
    for each in milliseconds:
        histogram.observe(each)
    return histogram.take()


def test_each_observation_is_counted_once() -> None:
    counts = observed(0, 0.5, 0.51, 10, 1e9)
    assert sum(counts) == 5
    assert len(counts) == len(BOUNDS_MS) + 1
    assert counts[0] == 2
    assert counts[-1] == 1


def test_taking_starts_anew() -> None:
    histogram = LatencyHistogram()
    histogram.observe(1)
    assert histogram.observed
    assert sum(histogram.take()) == 1
    assert not histogram.observed
    assert sum(histogram.take()) == 0


def test_nothing_observed_has_no_percentile() -> None:
    assert percentile(observed(), 0.5) is None


@pytest.mark.parametrize("share", [0.5, 0.95, 0.99])
def test_a_percentile_is_within_a_quarter_of_the_true_one(share: float) -> None:
    source = random.Random(7)
    sample = sorted(source.lognormvariate(2, 1) for _ in range(10_000))
    true = sample[int(share * len(sample))]
    found = percentile(observed(*sample), share)
    assert found is not None
    assert true / 1.26 <= found <= true * 1.26


def test_histograms_of_processes_add_up() -> None:
    one, two = observed(1, 2, 3), observed(100, 200)
    both = [left + right for left, right in zip(one, two, strict=True)]
    assert both == observed(1, 2, 3, 100, 200)


def test_what_is_beyond_the_last_bound_reads_as_it() -> None:
    assert percentile(observed(1e9), 0.5) == BOUNDS_MS[-1]


def test_bounds_ascend() -> None:
    assert all(low < high for low, high in pairwise(BOUNDS_MS))
