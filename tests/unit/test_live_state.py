"""States, deltas and the splice that a client makes of them."""

from hypothesis import given
from hypothesis import strategies as st

from monitoring.payloads import Overview, Series, Totals
from monitoring.state import State, changes, delta, series_tail, snapshot
from tests.support.overviews import overview, series


def state(seq: int, data: Overview | None, stale_since: str | None = None) -> State:
    return State("overview", "demo", "e1", seq, "2026-01-01T00:00:00+00:00", stale_since, data)


def splice(held: Series, tail: Series) -> Series:
    """What frontend/static/frontend/js/connection.js does."""
    kept = tail["start"] - held["start"]
    if not 0 <= kept <= len(held["accepted"]):
        return tail
    added = max(0, kept + len(tail["accepted"]) - len(held["accepted"]))
    accepted = (held["accepted"][:kept] + tail["accepted"])[added:]
    rejected = (held["rejected"][:kept] + tail["rejected"])[added:]
    return series(held["start"] + added, accepted, rejected)


def test_nothing_changed_is_an_empty_delta() -> None:
    assert changes(overview(), overview()) == {}


def test_a_delta_holds_only_the_parts_that_differ() -> None:
    totals: Totals = {"accepted": 5, "duplicates": 0, "rejected": 0}
    assert changes(overview(), overview(accepted=5)) == {"totals": totals}


def test_a_delta_says_which_state_it_follows() -> None:
    frame = delta(state(3, overview()), state(7, overview()))
    assert (frame["after"], frame["seq"], frame["kind"]) == (3, 7, "delta")


def test_a_snapshot_says_since_when_it_is_stale() -> None:
    frame = snapshot(state(3, overview(), "2026-01-01T00:00:00+00:00"), "gap")
    assert (frame["stale"], frame["stale_since"], frame["reason"]) == (
        True,
        "2026-01-01T00:00:00+00:00",
        "gap",
    )


def test_a_tail_starts_at_the_first_second_that_differs() -> None:
    assert series_tail(series(100, [1, 2, 3]), series(100, [1, 9, 3])) == series(101, [9, 3])


def test_a_tail_of_a_window_that_moved_has_the_new_seconds() -> None:
    assert series_tail(series(100, [1, 2, 3]), series(102, [3, 4, 5])) == series(103, [4, 5])


def test_a_rejection_alone_changes_a_second() -> None:
    assert series_tail(series(100, [1, 2]), series(100, [1, 2], [0, 1])) == series(101, [2], [1])


def test_no_tail_when_every_second_is_known() -> None:
    assert series_tail(series(100, [1, 2, 3]), series(100, [1, 2, 3])) is None


counts = st.lists(st.integers(0, 3), min_size=6, max_size=6)


@given(counts, counts, counts, counts, st.integers(-3, 9))
def test_splicing_the_tail_gives_the_new_series(
    old: list[int], new: list[int], refused: list[int], refused_later: list[int], moved: int
) -> None:
    before, after = series(100, old, refused), series(100 + moved, new, refused_later)
    tail = series_tail(before, after)
    assert (splice(before, tail) if tail else before) == after
