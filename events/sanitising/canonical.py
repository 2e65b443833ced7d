"""JSON read and written so that what no rule touches stays as it was sent, numbers digit by digit. Pure."""

import json
from typing import Any, NoReturn

import msgspec
from msgspec import Raw


def read(document: bytes) -> Any:
    """A tree of JSON in which numbers are msgspec.Raw. Raises ValueError when the text is not JSON."""
    return json.loads(document, parse_float=Raw, parse_int=Raw, parse_constant=_refuse)


def write(tree: Any) -> bytes:
    """JSON of a tree from `read`. Raises UnicodeEncodeError for half a surrogate pair."""
    return msgspec.json.encode(tree)


def text_of(value: Any) -> str:
    """The one text of a value that is hashed: keys sorted, no spaces, numbers as they were sent."""
    return msgspec.json.encode(value, order="sorted").decode()


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
