"""The bookkeeping of a flush: whose event became what."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from events.errors import InvalidEvent
from events.flushes import (
    Flush,
    Outcome,
    all_rejections,
    count_by_type,
    pack_positions,
    replayed_outcome,
    unpack_positions,
    verdicts_of,
)
from events.preparing import Prepared
from events.submissions import Rejection, Submission
from events.tail import PER_REQUEST, PER_SECOND, TailSampler

RECEIVED = datetime(2026, 1, 1, tzinfo=UTC)
BAD = InvalidEvent("bad", "", "Bad.")


def event(position: int, project: int = 1, kind: str = "t") -> Prepared:
    name = f"{project}-{position}"
    return Prepared(project, position, 0, name.encode(), True, name, kind, "", "", "", 0, None, b"", b"")


def submission(*kinds: str, project: int = 1, whole: bool = False) -> Submission:
    """One event for each kind; "!" is one that the decoder refused."""
    return Submission(
        project_id=project,
        key_id=1,
        request_id="r",
        prepared=[event(place, project, kind) for place, kind in enumerate(kinds) if kind != "!"],
        rejections=[Rejection(place, None, "?", BAD, b"") for place, kind in enumerate(kinds) if kind == "!"],
        frames=[kind.encode() for kind in kinds],
        size=1,
        arrived=0.0,
        whole=whole,
        logged=True,
        deliver=lambda _: None,
    )


def outcome(duplicates: set[int] | None = None, refused: set[int] | None = None) -> Outcome:
    return Outcome(RECEIVED, duplicates or set(), dict.fromkeys(refused or set(), BAD))


@given(st.sets(st.integers(0, 2**32 - 1)))
def test_positions_are_unpacked_as_packed(positions: set[int]) -> None:
    packed = pack_positions(positions)
    assert set(unpack_positions(packed)) == positions
    assert (packed is None) == (not positions)


def test_a_replayed_flush_has_the_same_duplicates_and_refusals() -> None:
    replayed = replayed_outcome(RECEIVED, pack_positions({0, 3}), pack_positions({2}))
    assert replayed.duplicates == {0, 3}
    assert {place: error.code for place, error in replayed.refused.items()} == {2: "not_storable"}


def test_verdicts_go_to_the_request_they_belong_to() -> None:
    flush = Flush([submission("a", "!", "b"), submission("c"), submission("!", "d", "e")])
    first, second, third = verdicts_of(flush, outcome({1, 3}, {4}))
    assert (first.accepted, first.duplicates, first.ids) == (1, 1, ["1-0", None, "1-2"])
    assert [each.position for each in first.rejections] == [1]
    assert (second.accepted, second.duplicates, second.ids) == (1, 0, ["1-0"])
    assert (third.accepted, third.duplicates, third.ids) == (0, 1, [None, "1-1", None])
    assert [(each.position, each.raw) for each in third.rejections] == [(0, b""), (2, b"e")]


def test_verdicts_of_a_clean_flush_count_all() -> None:
    flush = Flush([submission("a", "b"), submission("!", "c")])
    first, second = verdicts_of(flush, outcome())
    assert (first.accepted, first.ids) == (2, ["1-0", "1-1"])
    assert (second.accepted, second.ids, len(second.rejections)) == (1, [None, "1-1"], 1)


def test_counts_are_by_project_and_type() -> None:
    flush = Flush([submission("a", "a", "b", "!"), submission("a", project=2)])
    result = outcome({1}, {2})
    counted = count_by_type(flush, result, all_rejections(flush, result))
    found = {
        (project, kind): (accepted, duplicate, rejected)
        for project, kind, accepted, duplicate, rejected in zip(*counted.values(), strict=True)
    }
    assert found == {(1, "a"): (1, 1, 0), (1, "b"): (0, 0, 1), (1, "?"): (0, 0, 1), (2, "a"): (1, 0, 0)}


def test_a_request_taken_back_leaves_no_rejected_rows() -> None:
    flush = Flush([submission("a", "b", whole=True), submission("c")])
    assert all_rejections(flush, outcome(refused={0, 1})) == []
    assert len(all_rejections(flush, outcome(refused={0, 2}))) == 1


def sampled(sampler: TailSampler, *sizes: int, result: Outcome | None = None) -> list[str]:
    flush = Flush([submission(*["t"] * size) for size in sizes])
    return [each.id for each in sampler.sample(flush, result or outcome())]


def test_the_tail_takes_the_last_of_a_request() -> None:
    assert sampled(TailSampler(), 100) == [f"1-{place}" for place in range(100 - PER_REQUEST, 100)]


def test_the_tail_is_bounded_by_the_second() -> None:
    sampler = TailSampler()
    assert sum(len(sampled(sampler, 100, 100)) for _ in range(20)) == PER_SECOND
    later = Outcome(RECEIVED.replace(second=1))
    assert len(sampled(sampler, 100, result=later)) == PER_REQUEST


def test_the_tail_shows_nothing_that_was_not_stored() -> None:
    assert sampled(TailSampler(), 3, 2, result=outcome({0, 4}, {2})) == ["1-0", "1-1"]


def test_each_project_has_its_own_share_of_the_tail() -> None:
    sampler = TailSampler()
    for _ in range(10):
        sampled(sampler, 100)
    flush = Flush([submission("t", project=2)])
    assert [each.id for each in sampler.sample(flush, outcome())] == ["2-0"]
