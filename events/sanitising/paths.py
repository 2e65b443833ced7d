"""Places in an event by JSON pointer (RFC 6901), where the token `*` stands for every key or item. Pure."""

from collections.abc import Callable
from typing import Any, Final

from events.limits import MAX_DEPTH
from events.sanitising.errors import RuleInvalid

TEXT_FIELDS: Final = ("subject", "source", "key", "id")
ATTRIBUTES: Final = "attributes"  # of an event of another protocol: what it has beyond our fields
FIELDS: Final = ("data", *TEXT_FIELDS, ATTRIBUTES)
MAX_POINTER: Final = 500
DROPPED: Final = object()
_ANY: Final = "*"

Change = Callable[[Any], Any]


def parse_path(pointer: str) -> tuple[str, ...]:
    """The tokens of a pointer into `data`, `subject`, `source`, `key`, `id` or `attributes`. Raises RuleInvalid."""
    if len(pointer) > MAX_POINTER:
        raise RuleInvalid("path", f"It has {len(pointer)} characters; write at most {MAX_POINTER}.")
    if not pointer.startswith("/"):
        raise RuleInvalid("path", "A path is a JSON pointer such as /data/user/email; begin it with a slash.")
    tokens = tuple(_unescape(token) for token in pointer[1:].split("/"))
    if tokens[0] not in FIELDS:
        raise RuleInvalid(
            "path", f"Rules reach {', '.join('/' + field for field in FIELDS)}, not /{tokens[0]}."
        )
    if tokens[0] in TEXT_FIELDS and len(tokens) > 1:
        raise RuleInvalid("path", f"/{tokens[0]} is a text and has nothing inside; end the path there.")
    if tokens == (ATTRIBUTES,):
        raise RuleInvalid("path", "Name one attribute, as in /attributes/tenant.")
    if len(tokens) > MAX_DEPTH:
        raise RuleInvalid("path", f"It goes {len(tokens)} levels deep; events end at {MAX_DEPTH}.")
    return tokens


def _unescape(token: str) -> str:
    return token.replace("~1", "/").replace("~0", "~")


def change_at(node: Any, tokens: tuple[str, ...], change: Change) -> bool:
    """Replace what lies at `tokens` below a tree of dicts and lists, in place; whether anything changed.

    `change` returns the value itself, another, or DROPPED: a member goes, an item becomes null, so that the
    items behind it keep their places and a second pass finds nothing.
    """
    if not isinstance(node, dict | list):
        return False
    changed = False
    for place in _places(node, tokens[0]):
        old = node[place]
        if len(tokens) > 1:
            changed |= change_at(old, tokens[1:], change)
            continue
        new = change(old)
        if new is DROPPED and isinstance(node, dict):
            del node[place]
            changed = True
        elif new is not old:
            node[place] = None if new is DROPPED else new
            changed |= node[place] is not old
    return changed


def _places(node: dict[str, Any] | list[Any], token: str) -> list[Any]:
    if isinstance(node, dict):
        return list(node) if token == _ANY else [token] * (token in node)
    if token == _ANY:
        return list(range(len(node)))
    index = int(token) if token.isascii() and token.isdigit() and len(token) < 10 else -1
    return [index] if 0 <= index < len(node) else []


def may_reach(tokens: tuple[str, ...], document: bytes) -> bool:
    """Whether a path can lead anywhere in this JSON text, which has no backslash: are its keys in it?"""
    return all(
        token == _ANY or token.isdigit() or not _is_plain(token) or f'"{token}"'.encode() in document
        for token in tokens[1:]
    )


def _is_plain(token: str) -> bool:
    """Whether JSON has one way of writing it without a backslash."""
    return '"' not in token and "\\" not in token and token.isprintable()
