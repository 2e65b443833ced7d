"""Mergeable aggregates over `value`: init, add, merge, result. Any split and merge gives the same answer."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Final, Protocol

# Lists of numbers, so that a state packs into `window_state.partial` and merges in place.
State = list[float]
Result = float | int | None


class Aggregate(Protocol):
    """What a window computes. `add` gets the event's value: None when the event has none."""

    def init(self) -> State: ...
    def add(self, state: State, value: float | None) -> None: ...
    def merge(self, state: State, other: State) -> None: ...
    def result(self, state: State) -> Result: ...


class Count:
    """Events, with or without a value."""

    def init(self) -> State:
        return [0]

    def add(self, state: State, value: float | None) -> None:
        state[0] += 1

    def merge(self, state: State, other: State) -> None:
        state[0] += other[0]

    def result(self, state: State) -> Result:
        return int(state[0])


def _add_compensated(state: State, value: float) -> None:
    """Neumaier's variant of Kahan summation (Z. angew. Math. Mech. 54, 1974, pp. 39-51)."""
    total = state[0]
    new_total = total + value
    if abs(total) >= abs(value):
        state[1] += (total - new_total) + value
    else:
        state[1] += (value - new_total) + total
    state[0] = new_total


class Sum:
    """The sum of the values; None without any. State: running total, compensation, how many values."""

    def init(self) -> State:
        return [0.0, 0.0, 0]

    def add(self, state: State, value: float | None) -> None:
        if value is not None:
            _add_compensated(state, value)
            state[2] += 1

    def merge(self, state: State, other: State) -> None:
        _add_compensated(state, other[0])
        state[1] += other[1]
        state[2] += other[2]

    def result(self, state: State) -> Result:
        total, compensation, values = state
        if not values:
            return None
        # Past the largest double the compensation is not a number: the sum saturates instead.
        return total + compensation if isfinite(total) else total


class Min:
    """The least value; None without any."""

    def init(self) -> State:
        return []

    def add(self, state: State, value: float | None) -> None:
        if value is None:
            return
        if not state:
            state.append(value)
        elif value < state[0]:
            state[0] = value

    def merge(self, state: State, other: State) -> None:
        if other:
            self.add(state, other[0])

    def result(self, state: State) -> Result:
        return state[0] if state else None


class Max:
    """The greatest value; None without any."""

    def init(self) -> State:
        return []

    def add(self, state: State, value: float | None) -> None:
        if value is None:
            return
        if not state:
            state.append(value)
        elif value > state[0]:
            state[0] = value

    def merge(self, state: State, other: State) -> None:
        if other:
            self.add(state, other[0])

    def result(self, state: State) -> Result:
        return state[0] if state else None


AGGREGATES: Final[Mapping[str, Aggregate]] = {"count": Count(), "sum": Sum(), "min": Min(), "max": Max()}

# One state per aggregate, in the order of the pipeline's aggregates.
Partial = list[State]


def init(aggregates: Sequence[Aggregate]) -> Partial:
    return [aggregate.init() for aggregate in aggregates]


def merge(aggregates: Sequence[Aggregate], partial: Partial, other: Partial) -> None:
    """Merge `other` into `partial`, in place."""
    for aggregate, state, more in zip(aggregates, partial, other, strict=True):
        aggregate.merge(state, more)


def results(aggregates: Sequence[Aggregate], partial: Partial) -> list[Result]:
    return [aggregate.result(state) for aggregate, state in zip(aggregates, partial, strict=True)]
