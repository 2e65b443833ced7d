"""The circuit breaker, by an injected clock."""

import pytest

from events.breaker import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, Breaker


class Clock:
    def __init__(self) -> None:
        self.now = 1.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(open_after=1.0, monotonic=clock)


def test_it_stays_closed_through_a_short_failure(breaker: Breaker, clock: Clock) -> None:
    breaker.failed()
    clock.now += 1.0
    assert (breaker.state, breaker.failing) == ("closed", True)
    breaker.succeeded()
    clock.now += 5.0
    assert (breaker.state, breaker.failing) == ("closed", False)


def test_it_opens_after_failing_for_long_enough_though_nobody_tries(breaker: Breaker, clock: Clock) -> None:
    breaker.failed()
    clock.now += 1.1
    assert breaker.state == "open"


def test_it_opens_at_once_when_an_attempt_is_given_up(breaker: Breaker) -> None:
    breaker.trip()
    assert breaker.state == "open"


def test_nobody_makes_a_trial_while_it_is_closed(breaker: Breaker) -> None:
    assert not breaker.begin_trial()


def test_one_trial_at_a_time_closes_it_or_doubles_the_pause(breaker: Breaker, clock: Clock) -> None:
    breaker.trip()
    pauses = []
    for _ in range(6):
        began = clock.now
        while not breaker.begin_trial():
            clock.now += 0.01
        pauses.append(clock.now - began)
        during = breaker.state
        assert not breaker.begin_trial()
        breaker.failed()
        assert (during, breaker.state) == ("half_open", "open")
    assert pauses[0] == pytest.approx(FIRST_PAUSE_SECONDS, abs=0.02)
    assert pauses[1] == pytest.approx(2 * FIRST_PAUSE_SECONDS, abs=0.02)
    assert pauses[-1] == pytest.approx(LONGEST_PAUSE_SECONDS, abs=0.02)
    clock.now += LONGEST_PAUSE_SECONDS
    assert breaker.begin_trial()
    breaker.succeeded()
    assert (breaker.state, breaker.failing) == ("closed", False)


def test_a_failure_meanwhile_does_not_end_the_pause(breaker: Breaker, clock: Clock) -> None:
    breaker.trip()
    breaker.failed()
    breaker.trip()
    assert breaker.state == "open"
    clock.now += FIRST_PAUSE_SECONDS + 0.01
    assert breaker.begin_trial()
