"""Where a pointer leads in a JSON text."""

import pytest

from events.quarantine.locating import locate


@pytest.mark.parametrize(
    ("text", "pointer", "found"),
    [
        ('{"type": "t", "value": "x"}', "/value", '"value": "x"'),
        ('{ "data" : { "a" : [1, {"b": 2}] } }', "/data/a/1/b", '"b": 2'),
        ('{"data": {"a": [1, 22]}}', "/data/a/1", "22"),
        ('{"a/b~c": 1}', "/a~1b~0c", '"a/b~c": 1'),
        ('{"n": 1e999, "x": [1,2]}', "/x", '"x": [1,2]'),
        ('{"a\\"b": 1, "c": 2}', "/c", '"c": 2'),
    ],
)
def test_it_finds_the_member_with_its_key_and_the_item_alone(text: str, pointer: str, found: str) -> None:
    span = locate(text, pointer)
    assert span is not None
    assert text[span[0] : span[1]] == found


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        ('{"a": 1}', ""), ('{"a": 1}', "/b"), ("{", "/a"), ("", "/a"), ('{"a": 1}', "/a/b"), ("[1]", "/1"), ("1", "/a"),
        ('{"a": tru', "/a"), ('{"a" 1}', "/a"), ("[" * 100_000, "/0/0"), ('{a: 1}', "/a"),
    ],
)  # fmt: skip
def test_it_says_nothing_where_it_cannot_tell(text: str, pointer: str) -> None:
    assert locate(text, pointer) is None
