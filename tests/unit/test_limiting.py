"""The bucket against a simple one that counts tokens, and what settling does to it."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.limiting import KNOWN_SECONDS, Bucket


class Tokens:
    """A token bucket as a textbook has it, exact."""

    def __init__(self, rate: int, capacity: int) -> None:
        self.rate, self.capacity = rate, capacity
        self.tokens, self.at = Fraction(capacity), Fraction(0)

    def wait(self, events: int, now: Fraction) -> Fraction:
        """Zero when it took them."""
        self.tokens = min(Fraction(self.capacity), self.tokens + (now - self.at) * self.rate)
        self.at = now
        if self.tokens < events:
            return (events - self.tokens) / self.rate
        self.tokens -= events
        return Fraction(0)


# Sixteenths of a second and rates that are powers of two: doubles are exact, so both must agree to the event.
STEPS = st.lists(st.tuples(st.integers(0, 64), st.integers(1, 40)), max_size=40)


@given(rate=st.sampled_from([1, 2, 8, 64]), capacity=st.integers(1, 40), steps=STEPS)
def test_it_lets_through_what_a_token_bucket_does(
    rate: int, capacity: int, steps: list[tuple[int, int]]
) -> None:
    bucket, tokens, now = Bucket(rate=rate, capacity=capacity), Tokens(rate, capacity), Fraction(0)
    for sixteenths, events in steps:
        now += Fraction(sixteenths, 16)
        events = min(events, capacity)
        expected = tokens.wait(events, now)
        assert bucket.wait(events, float(now)) == pytest.approx(float(expected), abs=1e-6)
        if not expected:
            bucket.take(events, float(now))
        assert bucket.available(float(now)) == math.floor(tokens.tokens)


@given(rate=st.integers(1, 1_000_000), capacity=st.integers(1, 10_000), now=st.floats(0, 1e7))
def test_a_whole_bucket_passes_at_once_and_then_nothing(rate: int, capacity: int, now: float) -> None:
    bucket = Bucket(rate=rate, capacity=capacity)
    assert bucket.wait(capacity, now) == 0
    bucket.take(capacity, now)
    assert bucket.available(now) == 0
    assert bucket.wait(capacity, now) == pytest.approx(capacity / rate, rel=1e-3, abs=2e-6)


def test_what_others_took_counts() -> None:
    bucket = Bucket(rate=10, capacity=20)
    bucket.settle(1.5, 100.0)
    assert bucket.available(100.0) == 5
    assert bucket.wait(6, 100.0) == pytest.approx(0.1)
    assert bucket.available(101.5) == 20


def test_what_was_taken_while_redis_was_asked_is_kept() -> None:
    bucket = Bucket(rate=10, capacity=20)
    bucket.settle(0.0, 99.0)
    bucket.take(5, 100.0)
    assert bucket.hand_over(100.0) == pytest.approx(0.5)
    bucket.take(3, 100.0)
    bucket.settle(0.5, 100.0)
    assert bucket.available(100.0) == 12
    assert bucket.hand_over(100.0) == pytest.approx(0.3)


def test_a_debt_of_many_processes_keeps_it_shut_until_it_is_worked_off() -> None:
    bucket = Bucket(rate=10, capacity=20)
    bucket.settle(6.0, 100.0)
    assert bucket.available(100.0) == 0
    assert bucket.wait(1, 100.0) == pytest.approx(4.1)


def test_an_outage_is_not_held_against_anybody_afterwards() -> None:
    """For a minute it took all that one process may: only what has not filled up again is told."""
    bucket = Bucket(rate=10, capacity=20)
    for second in range(60):
        bucket.take(10, 100.0 + second)
    assert bucket.hand_over(159.5) == pytest.approx(0.5)


def test_it_is_known_for_a_second() -> None:
    bucket = Bucket(rate=10, capacity=20)
    assert not bucket.is_known(0.0)
    bucket.settle(0.0, 100.0)
    assert bucket.is_known(100.0 + KNOWN_SECONDS)
    assert not bucket.is_known(100.01 + KNOWN_SECONDS)
