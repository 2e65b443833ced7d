"""What a pipeline may be defined as."""

from datetime import timedelta
from typing import Any

import pytest

from processing.definitions import Definition, definition_of, duration_text, parse_duration
from processing.errors import InvalidDefinition


def definition(**changes: Any) -> Definition:
    return Definition(**{"types": ("flight.*",), "window_size": timedelta(minutes=5), **changes})


def test_a_definition_survives_being_stored() -> None:
    wanted = definition(watermark_delay=timedelta(0), allowed_lateness=timedelta(days=2))
    assert definition_of(wanted.as_json()) == wanted


@pytest.mark.parametrize("text", ["0s", "1s", "90s", "5m", "1h", "25h", "7d"])
def test_durations_are_read_back(text: str) -> None:
    assert parse_duration(duration_text(parse_duration(text, field="x")), field="x") == parse_duration(
        text, field="x"
    )


@pytest.mark.parametrize("text", ["", "5", "m", "-5m", "5 m", "1.5h", "5w", "\u0665m"])
def test_other_durations_are_refused_by_the_name_of_the_field(text: str) -> None:
    with pytest.raises(InvalidDefinition, match=r"^window\.size: .* is not a duration"):
        parse_duration(text, field="window.size")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"types": ()}, "types: give between 1"),
        ({"types": ("a", "[ab]*")}, r"types: '\[ab\]\*' is not"),
        ({"types": ("a" * 201,)}, "types: "),
        ({"window_size": timedelta(0)}, r"window\.size: choose"),
        ({"watermark_delay": timedelta(days=2)}, "watermark_delay: choose"),
        ({"allowed_lateness": timedelta(days=32)}, "allowed_lateness: choose"),
    ],
)
def test_a_wrong_definition_names_the_field(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidDefinition, match=f"^{message}"):
        definition(**changes)


def test_globs_match_whole_types() -> None:
    matches = definition(types=("flight.*", "a?c")).matcher()
    assert [kind for kind in ("flight.x", "flight", "xflight.x", "abc", "abcd", "ac") if matches(kind)] == [
        "flight.x",
        "abc",
    ]
