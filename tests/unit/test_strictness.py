"""The exact checks: against Python's own JSON reader, and in time in proportion to the text."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.errors import InvalidEvent, RequestRefused
from events.limits import MAX_BODY_BYTES, MAX_EVENT_BYTES
from events.strictness import check_exactly, escape_pointer, nests_deeper, require_json, split_exactly

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def code_of(raw: bytes) -> str | None:
    try:
        check_exactly(raw)
    except InvalidEvent as verdict:
        return verdict.code
    return None


def depth_by_walking(document: Any) -> int:
    if isinstance(document, list):
        return 1 + max(map(depth_by_walking, document), default=0)
    if isinstance(document, dict):
        return 1 + max(map(depth_by_walking, document.values()), default=0)
    return 0


@given(JSON, st.integers(0, 8))
def test_depth_is_counted_outside_strings_only(document: Any, levels: int) -> None:
    assert nests_deeper(json.dumps(document).encode(), levels) == (depth_by_walking(document) > levels)


@pytest.mark.parametrize(
    ("text", "depth"),
    [(b'"[[["', 0), (rb'"\"[["', 0), (rb'["\\", []]', 2), (rb'["\\\"[[", {}]', 2), (b'[{"[{":"]}"}]', 2)],
)
def test_brackets_in_strings_do_not_nest(text: bytes, depth: int) -> None:
    assert not nests_deeper(text, depth)
    assert depth == 0 or nests_deeper(text, depth - 1)


@pytest.mark.parametrize(
    "text",
    [
        b'"' + b'\\"' * (MAX_EVENT_BYTES // 2),
        b'"' * MAX_EVENT_BYTES,
        b"\\" * MAX_EVENT_BYTES,
        b'"\\' * (MAX_EVENT_BYTES // 2),
        b'{"a":"' + b"x" * MAX_EVENT_BYTES,
        b"[" * MAX_EVENT_BYTES,
    ],
    ids=["escaped quotes", "quotes", "backslashes", "both", "unterminated", "brackets"],
)
def test_a_hostile_text_takes_time_in_proportion_to_its_size(text: bytes) -> None:
    """An unterminated string of escaped quotes once took minutes, and all other requests waited."""
    assert code_of(text) in {"malformed_json", "too_deep"}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b'{"a":1,"a":1}', "duplicate_key"),
        (b'{"a":{"b":[{"c":1,"c":2}]}}', "duplicate_key"),
        (b'{"a" :1, "\\u0061"\n: 2}', "duplicate_key"),
        (b'{"a":"\\u0000"}', "nul_character"),
        (b'{"\\u0000":1}', "nul_character"),
        (b'{"a":"\\ud800"}', "lone_surrogate"),
        (b'{"a":"\\udc00\\ud800"}', "lone_surrogate"),
        (b'{"a":"\\ud83d\\ude00"}', None),
        (b'{"a":NaN}', "malformed_json"),
        (b'{"a":-Infinity}', "malformed_json"),
        (b'{"a":1e400}', "number_out_of_range"),
        (b'{"a":-1e400}', "number_out_of_range"),
        (b'{"a":' + b"9" * 309 + b"}", "number_out_of_range"),
        (b'{"a":' + b"9" * 200_000 + b"}", "number_out_of_range"),
        (b'{"a":' + b"9" * 308 + b"}", None),
        (b'{"a":1e308}', None),
        (b"\xff", "invalid_utf8"),
        (b'{"a":"\xed\xa0\x80"}', "invalid_utf8"),
        (b"[" * 33 + b"]" * 33, "too_deep"),
        (b"[" * 32 + b"]" * 32, None),
        (b'{"a":1', "malformed_json"),
        (b"", "malformed_json"),
    ],
)
def test_what_json_allows_and_an_event_may_not_have_is_found(text: bytes, code: str | None) -> None:
    assert code_of(text) == code


def test_the_pointer_leads_to_the_string() -> None:
    with pytest.raises(InvalidEvent) as caught:
        check_exactly(b'{"data":{"a/b":[0,{"~":"\\u0000"}]}}')
    assert caught.value.pointer == "/data/a~1b/1/~0"


@given(st.text())
def test_an_escaped_pointer_can_be_read_back(key: str) -> None:
    escaped = escape_pointer(key)
    assert "/" not in escaped
    assert escaped.replace("~1", "/").replace("~0", "~") == key


@given(st.lists(JSON), st.sampled_from(["", " ", "\n\t "]))
def test_an_array_is_split_into_its_items(items: list[Any], space: str) -> None:
    texts = [json.dumps(item) for item in items]
    body = f"{space}[{space}{f'{space},{space}'.join(texts)}{space}]{space}"
    assert split_exactly(body.encode()) == [text.encode() for text in texts]


def test_items_with_half_a_character_or_huge_integers_are_split_too() -> None:
    items = [b'"\\ud800"', b"9" * 5000, b'{"a":1,"a":2}', b"1e400"]
    assert split_exactly(b"[" + b",".join(items) + b"]") == items


@pytest.mark.parametrize(
    "body", [b"[1,]", b"[1 2]", b"[1] x", b"[", b"[NaN]", b"[" * 100_000, b"\xef\xbb\xbf[]"]
)
def test_an_array_that_is_no_json_is_400(body: bytes) -> None:
    with pytest.raises(RequestRefused) as caught:
        require_json(body)
    assert caught.value.status == 400


def test_a_body_of_nothing_but_brackets_is_refused_in_time() -> None:
    with pytest.raises(RequestRefused):
        require_json(b"[" * MAX_BODY_BYTES)
