"""The laws of every aggregate, and what each computes."""

import math
from collections.abc import Sequence
from itertools import pairwise
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processing.aggregates import AGGREGATES, Aggregate, Result, State

values = st.one_of(st.none(), st.floats(min_value=-1e12, max_value=1e12))
series = st.lists(values, max_size=60)
every_aggregate = pytest.mark.parametrize("name", sorted(AGGREGATES))


def folded(aggregate: Aggregate, over: Sequence[float | None]) -> State:
    state = aggregate.init()
    for value in over:
        aggregate.add(state, value)
    return state


def close(left: Result, right: Result, magnitude: float) -> bool:
    if left is None or right is None:
        return left is right
    return abs(left - right) <= 1e-12 * magnitude + 1e-300


def magnitude_of(over: Sequence[float | None]) -> float:
    return sum(abs(value) for value in over if value is not None)


@every_aggregate
@given(over=series, cuts=st.lists(st.integers(0, 60), max_size=5), order=st.randoms(use_true_random=False))
def test_any_split_merged_in_any_order_gives_the_same_answer(
    name: str, over: list[float | None], cuts: list[int], order: Random
) -> None:
    aggregate = AGGREGATES[name]
    edges = [0, *sorted(min(cut, len(over)) for cut in cuts), len(over)]
    states = [folded(aggregate, over[start:end]) for start, end in pairwise(edges)]
    order.shuffle(states)
    merged = aggregate.init()
    for state in states:
        aggregate.merge(merged, state)
    whole = aggregate.result(folded(aggregate, over))
    assert close(aggregate.result(merged), whole, magnitude_of(over))


@every_aggregate
@given(over=series)
def test_merging_an_empty_state_changes_nothing(name: str, over: list[float | None]) -> None:
    aggregate = AGGREGATES[name]
    state = folded(aggregate, over)
    before = aggregate.result(state)
    aggregate.merge(state, aggregate.init())
    assert aggregate.result(state) == before


@every_aggregate
@given(over=series)
def test_a_state_survives_being_stored(name: str, over: list[float | None]) -> None:
    aggregate = AGGREGATES[name]
    state = folded(aggregate, over)
    stored = msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=list[float | int])
    assert aggregate.result(stored) == aggregate.result(state)


@every_aggregate
@given(left=series, right=series)
def test_merging_leaves_the_other_state_as_it_was(
    name: str, left: list[float | None], right: list[float | None]
) -> None:
    aggregate = AGGREGATES[name]
    state, other = folded(aggregate, left), folded(aggregate, right)
    before = list(other)
    aggregate.merge(state, other)
    aggregate.add(state, 1.0)
    assert other == before


@given(over=series)
def test_they_agree_with_python(over: list[float | None]) -> None:
    known = [value for value in over if value is not None]
    results = {name: aggregate.result(folded(aggregate, over)) for name, aggregate in AGGREGATES.items()}
    assert results["count"] == len(over)
    assert results["min"] == min(known, default=None)
    assert results["max"] == max(known, default=None)
    assert close(results["sum"], math.fsum(known) if known else None, magnitude_of(over))


def test_a_million_small_values_beside_a_large_one_are_not_lost() -> None:
    total = AGGREGATES["sum"]
    state = folded(total, [1e16, *[1.0] * 1_000_000, -1e16])
    assert total.result(state) == 1_000_000.0


def test_compensation_survives_merging() -> None:
    total = AGGREGATES["sum"]
    state = total.init()
    for part in ([1e16], [1.0] * 10, [-1e16]):
        total.merge(state, folded(total, part))
    assert total.result(state) == 10.0


def test_what_a_part_compensated_is_merged_too() -> None:
    total = AGGREGATES["sum"]
    state = folded(total, [-1e16])
    total.merge(state, folded(total, [1e16, 1.0]))
    assert total.result(state) == 1.0


def test_a_sum_past_the_largest_double_saturates() -> None:
    total = AGGREGATES["sum"]
    assert total.result(folded(total, [1.7e308, 1.7e308])) == math.inf


@every_aggregate
def test_without_values_only_the_count_has_an_answer(name: str) -> None:
    aggregate = AGGREGATES[name]
    assert aggregate.result(folded(aggregate, [None, None])) == (2 if name == "count" else None)
