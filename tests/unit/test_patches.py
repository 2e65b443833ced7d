"""The simple correction that is applied to many refused events."""

from typing import Any

import pytest

from events.quarantine.errors import InvalidPatch
from events.quarantine.patches import MOST_STEPS, Step, apply_patch, check_patch


def patched(text: bytes, *steps: Step) -> bytes:
    check_patch(steps)
    return apply_patch(text, steps)


@pytest.mark.parametrize(
    ("text", "step", "result"),
    [
        (b'{"type":"t","x":1}', Step("remove", "/x"), b'{"type":"t"}'),
        (b'{"type":"t"}', Step("remove", "/x"), b'{"type":"t"}'),
        (b'{"type":"t","value":"1"}', Step("set", "/value", 1), b'{"type":"t","value":1}'),
        (b'{"type":"t"}', Step("set", "/data/by", "ops"), b'{"type":"t","data":{"by":"ops"}}'),
        (b'{"data":{"a":1,"b":2}}', Step("remove", "/data/a"), b'{"data":{"b":2}}'),
        (b'{"a/b":1}', Step("remove", "/a~1b"), b"{}"),
    ],
)
def test_it_sets_and_removes_fields(text: bytes, step: Step, result: bytes) -> None:
    assert patched(text, step) == result


def test_what_it_does_not_touch_stays_as_it_was_written() -> None:
    text = b'{"n":1.10e5,"data":{"big":12345678901234567890123,"x":"\\u00e4"},"y":1}'
    assert (
        patched(text, Step("remove", "/y"))
        == b'{"n":1.10e5,"data":{"big":12345678901234567890123,"x":"\\u00e4"}}'
    )


@pytest.mark.parametrize(
    "text",
    [b"{", b"[1]", b"1", b"\xff", b'{"a":1,"a":2}', b'{"data":{"a":1,"a":2}}', b'{"data":[1]}', b"[" * 9_999],
)
def test_it_leaves_alone_what_it_cannot_read_clearly(text: bytes) -> None:
    assert patched(text, Step("set", "/data/x", 1)) == text


@pytest.mark.parametrize("pointer", ["", "a", "/a/b", "/data/a/b", "//a"])
def test_a_pointer_is_to_a_field_or_to_one_of_data(pointer: str) -> None:
    with pytest.raises(InvalidPatch, match="pointer"):
        check_patch([Step("remove", pointer)])


@pytest.mark.parametrize(
    "steps", [[Step("set", "/a")], [Step("remove", "/a", 1)], [Step("remove", "/a")] * (MOST_STEPS + 1)]
)
def test_steps_must_be_whole_and_few(steps: list[Any]) -> None:
    with pytest.raises(InvalidPatch):
        check_patch(steps)
