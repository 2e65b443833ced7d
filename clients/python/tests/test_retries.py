"""When to try again: full jitter, bounds, Retry-After."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgauge.retries import RetryPolicy, read_retry_after

NOW = 1_790_000_000.0
CHANCE = st.floats(0, 1, exclude_max=True)


@given(attempt=st.integers(1, 100), chance=CHANCE)
def test_a_backoff_is_anything_up_to_the_doubled_bound(attempt: int, chance: float) -> None:
    policy = RetryPolicy(first_seconds=0.2, longest_seconds=10.0)
    assert 0 <= policy.backoff(attempt, chance) <= min(10.0, 0.2 * 2 ** (attempt - 1))


def test_the_bound_doubles_until_it_is_the_longest() -> None:
    policy = RetryPolicy(first_seconds=1.0, longest_seconds=5.0)
    assert [policy.backoff(attempt, 1.0) for attempt in (1, 2, 3, 4, 99)] == [1.0, 2.0, 4.0, 5.0, 5.0]


@given(
    attempt=st.integers(1, 20), elapsed=st.floats(0, 100), told=st.none() | st.floats(0, 100), chance=CHANCE
)
def test_a_wait_is_never_sooner_than_told_nor_later_than_the_total(
    attempt: int, elapsed: float, told: float | None, chance: float
) -> None:
    policy = RetryPolicy(attempts=8, total_seconds=60.0)
    wait = policy.wait(attempt=attempt, elapsed=elapsed, retry_after=told, chance=chance)
    if wait is None:
        assert attempt >= 8 or elapsed + (told or 0) + policy.backoff(attempt, chance) > 60
    else:
        assert attempt < 8
        assert wait >= (told or 0)
        assert elapsed + wait <= 60


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("0", 0.0),
        ("Mon, 21 Sep 2026 14:13:30 GMT", 10.0),
        ("Mon, 21 Sep 2020 14:13:30 GMT", 0.0),
        ("soon", None),
        ("-3", None),
        ("1.5", None),
        ("²", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    assert read_retry_after(header, now=NOW) == seconds
