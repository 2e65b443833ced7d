"""Which types the log keeps."""

import pytest

from events.routing import NO_ROUTES, Routes


@pytest.mark.parametrize(
    ("pattern", "event_type", "wanted"),
    [
        ("order.placed", "order.placed", True),
        ("order.placed", "order.placed2", False),
        ("order.*", "order.placed", True),
        ("order.*", "orders.placed", False),
        ("*", "anything", True),
        ("order.?", "order.a", True),
        ("Order.*", "order.placed", False),
        ("[ab]", "a", True),
    ],
)
def test_a_pattern_is_a_glob_over_the_whole_type(pattern: str, event_type: str, wanted: bool) -> None:
    assert Routes(1, [(1, pattern)]).wants(1, event_type) is wanted


def test_patterns_are_their_projects_own() -> None:
    routes = Routes(1, [(1, "a"), (2, "b"), (1, "c")])
    assert [routes.wants(project, name) for project in (1, 2, 3) for name in "abc"] == [
        True, False, True, False, True, False, False, False, False,
    ]  # fmt: skip


def test_an_answer_is_the_same_the_second_time_and_past_what_is_remembered() -> None:
    routes = Routes(1, [(1, "wanted.*")])
    for _ in range(2):
        for number in range(12_000):
            assert not routes.wants(1, f"other.{number}")
        assert routes.wants(1, "wanted.x")


def test_without_routes_nothing_is_wanted() -> None:
    assert not NO_ROUTES.wants(1, "a")
