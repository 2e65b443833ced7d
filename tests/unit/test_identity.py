"""Identity keys: equal for equal ids, and in the order of time for ids that carry one."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.identity import identity_key

IDS = st.text(min_size=1, max_size=40)
STAMPS = st.integers(0, 2**48 - 1)
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def uuid7(stamp: int, rest: int) -> str:
    return str(UUID(int=stamp << 80 | 7 << 76 | (rest >> 64) % 2**12 << 64 | 2 << 62 | rest % 2**62))


def ulid(stamp: int, rest: int) -> str:
    number = stamp << 80 | rest % 2**80
    return "".join(CROCKFORD[number >> 5 * place & 31] for place in reversed(range(26)))


@given(st.integers(1, 2**31 - 1), IDS, IDS)
def test_a_key_has_16_bytes_and_is_the_same_each_time(project: int, source: str, event_id: str) -> None:
    key = identity_key(project, source, event_id)
    assert len(key) == 16
    assert identity_key(project, source, event_id) == key


@given(st.tuples(st.integers(1, 9), IDS, IDS), st.tuples(st.integers(1, 9), IDS, IDS))
def test_different_project_source_or_id_have_different_keys(
    one: tuple[int, str, str], other: tuple[int, str, str]
) -> None:
    if one != other:
        assert identity_key(*one) != identity_key(*other)


def test_source_and_id_do_not_run_together() -> None:
    assert identity_key(1, "ab", "c") != identity_key(1, "a", "bc")
    assert identity_key(1, "", "1") != identity_key(11, "", "")


@pytest.mark.parametrize("make", [uuid7, ulid])
@given(stamp=STAMPS, rest=st.integers(0, 2**80 - 1))
def test_a_time_ordered_id_keeps_its_time_in_front(make: object, stamp: int, rest: int) -> None:
    assert callable(make)
    assert identity_key(1, "s", make(stamp, rest))[:6] == stamp.to_bytes(6, "big")


@given(STAMPS)
def test_ids_of_one_time_differ_in_the_hash(stamp: int) -> None:
    keys = {identity_key(1, "", uuid7(stamp, rest)) for rest in range(50)}
    assert len(keys) == 50


def test_a_key_never_changes_between_versions() -> None:
    """Stored keys are compared with new ones for days: a change would admit duplicates."""
    assert identity_key(7, "shop", "order-1").hex() == "546f7bab091dc462dccfcd5f4c05d586"
    assert (
        identity_key(7, "", "01890a5d-ac96-774b-bcce-b302099a8057").hex()
        == "01890a5dac966c643dc7914cf229e3b1"
    )
    assert identity_key(7, "", "01ARZ3NDEKTSV4RRFFQ69G5FAV").hex() == "01563e3ab5d3310cfb89d2ceb0b97a3a"


def test_a_ulid_in_small_letters_keeps_its_time_too() -> None:
    assert (
        identity_key(1, "", "01arz3ndektsv4rrffq69g5fav")[:6]
        == identity_key(1, "", "01ARZ3NDEKTSV4RRFFQ69G5FAV")[:6]
    )


@pytest.mark.parametrize(
    "event_id",
    [
        "0" + "\u00df" * 25,  # ß: two letters when capital
        "0" + "\ufb00" * 25,  # the ligature ff
        "\u0663" * 26,
        "8" * 26,
        "7" + "U" * 25,
        "!" * 26,
        "zzzzzzzz-zzzz-7zzz-zzzz-zzzzzzzzzzzz",
        "  01890a5d-a-7" + " " * 23,
        "\u0661" * 14 + "7" + "\u0661" * 21,
    ],
)
def test_an_id_that_only_looks_like_one_with_time_is_hashed_whole(event_id: str) -> None:
    key = identity_key(1, "", event_id)
    assert len(key) == 16
    assert key != identity_key(1, "", event_id + "x")
