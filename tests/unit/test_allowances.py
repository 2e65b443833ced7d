"""How the texts of limits are read."""

from typing import Any

import pytest

from accounts.allowances import MAX_PATTERNS, Allowance, key_limits, ordered_addresses, ordered_types

NOTHING: tuple[Any, ...] = (None, None, None, [], [], None, None, None)


def test_a_key_that_nothing_limits_has_no_limits_to_look_at() -> None:
    assert key_limits(NOTHING) is None


@pytest.mark.parametrize(
    ("place", "value"), [(0, 5), (2, 9), (3, ["a.*"]), (4, ["192.0.2.0/24"]), (5, 5), (7, 9)]
)
def test_any_limit_makes_it_limited(place: int, value: object) -> None:
    columns = [*NOTHING]
    columns[place] = value
    assert key_limits(columns) is not None


def test_a_bucket_holds_ten_seconds_worth_unless_told_otherwise() -> None:
    assert Allowance(rate=7).capacity == 70
    assert Allowance(rate=7, burst=9).capacity == 9


def test_addresses_are_kept_as_networks() -> None:
    assert ordered_addresses([" 192.0.2.1", "2001:db8::/32", "", "192.0.2.1/32"]) == [
        "192.0.2.1/32",
        "2001:db8::/32",
    ]


@pytest.mark.parametrize("text", ["192.0.2.0/33", "192.0.2.1/24", "example.com", "*"])
def test_what_is_no_network_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match="no address or network"):
        ordered_addresses([text])


def test_globs_lose_their_repeats() -> None:
    assert ordered_types(["order.*", " order.* ", "a"]) == ["order.*", "a"]


@pytest.mark.parametrize("text", ["order.[ab]", "with space", "ü", "x" * 201])
def test_what_is_no_glob_of_types_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match="no glob"):
        ordered_types([text])


def test_a_list_has_an_end() -> None:
    with pytest.raises(ValueError, match="at most"):
        ordered_types(f"a{number}" for number in range(MAX_PATTERNS + 1))
