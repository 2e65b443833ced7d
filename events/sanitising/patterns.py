"""What is looked for inside strings: emails, card numbers, IP addresses, and expressions of people's own. Pure.

Every search takes time in proportion to the text, however hostile. People's expressions run through RE2, which
promises it; the expressions here are such that the standard library's faster ones keep it too.
"""

import ipaddress
import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import Final, Protocol

import re2

from events.sanitising.errors import RuleInvalid

Span = tuple[int, int]
MAX_EXPRESSION: Final = 500
_MAX_PROGRAM_BYTES: Final = 1024 * 1024
_GROUP: Final = re.compile("[0-9]+")
_CARD_DIGITS: Final = range(13, 20)
_LONGEST_ADDRESS: Final = 45
_CONTEXT: Final = ("^", "$", r"\A", r"\z", r"\b", r"\B")


class Pattern(Protocol):
    """`spans` are the matches in a text, in order and apart.

    `may_match` is quick and may be wrong one way only: False when no string of this JSON text has a match. The text
    has no backslash, so its strings stand in it as they are.
    """

    def spans(self, text: str) -> Iterator[Span]: ...

    def may_match(self, document: bytes) -> bool: ...


class Email:
    """Looked for around each `@`: from the left, a long text without one would be tried again from every letter."""

    _before = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._%+'-")
    _after = re.compile(r"(?:[^\W_]|-)+(?:\.(?:[^\W_]|-)+)+")

    def spans(self, text: str) -> Iterator[Span]:
        end = 0
        at = text.find("@")
        while at >= 0:
            start = at
            while start > end and text[start - 1] in self._before:
                start -= 1
            domain = self._after.match(text, at + 1) if start < at else None
            if domain is not None:
                end = domain.end()
                yield start, end
            at = text.find("@", max(at + 1, end))

    def may_match(self, document: bytes) -> bool:
        return b"@" in document


class Card:
    """13 to 19 digits, in groups or not, that an issuer could have given out: first digit 2 to 6, and Luhn's sum."""

    _run = re.compile(r"[0-9](?:[ -]?[0-9]){12,}")
    _quick = re2.compile(rb"[0-9](?:[ -]?[0-9]){12}")

    def spans(self, text: str) -> Iterator[Span]:
        if len(text) >= 13:
            for match in self._run.finditer(text):
                yield from _cards_of(match.group(), match.start())

    def may_match(self, document: bytes) -> bool:
        return self._quick.search(document) is not None


def _cards_of(run: str, offset: int) -> Iterator[Span]:
    """Numbers in a run of digits: they begin and end where a group does."""
    groups = [match.span() for match in _GROUP.finditer(run)]
    place = 0
    while place < len(groups):
        last = _last_group(run, groups, place)
        if last is not None:
            yield offset + groups[place][0], offset + groups[last][1]
            place = last
        place += 1


def _last_group(run: str, groups: list[Span], first: int) -> int | None:
    """The last group of the longest card number that begins with the group `first`."""
    digits: list[int] = []
    found = None
    for place in range(first, len(groups)):
        start, end = groups[place]
        if len(digits) + end - start > _CARD_DIGITS[-1]:
            break
        digits += map(int, run[start:end])
        if len(digits) in _CARD_DIGITS and 2 <= digits[0] <= 6 and passes_luhn(digits):
            found = place
    return found


def passes_luhn(digits: list[int]) -> bool:
    """ISO/IEC 7812-1, annex B."""
    doubled = (2 * digit - 9 if digit > 4 else 2 * digit for digit in digits[-2::-2])
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


class IpAddress:
    """IPv4 in four numbers, and IPv6. Not part of a longer word, such as `v1.2.3.4` or `std::dec`."""

    _four = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3,}")
    _six = re.compile(r"[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")
    _quick = re2.compile(rb"[0-9]\.[0-9]{1,3}\.[0-9]|::|(?:[0-9A-Fa-f]{1,4}:){7}")

    def spans(self, text: str) -> Iterator[Span]:
        six = list(_addresses(self._six, text)) if text.count(":") > 1 else []
        four = list(_addresses(self._four, text)) if text.count(".") > 2 else []
        yield from sorted([*six, *(span for span in four if not _within(span, six))])

    def may_match(self, document: bytes) -> bool:
        return self._quick.search(document) is not None


def _within(span: Span, others: list[Span]) -> bool:
    """Whether the last of `others`, in order and apart, that begins at or before `span` reaches into it."""
    place = bisect_right(others, span[0], key=lambda other: other[0])
    return place > 0 and others[place - 1][1] > span[0]


def _addresses(candidates: re.Pattern[str], text: str) -> Iterator[Span]:
    for match in candidates.finditer(text):
        start, end = match.span()
        if end - start > _LONGEST_ADDRESS + 1:
            continue
        address = match.group().rstrip(".")
        if address.endswith(":") and not address.endswith("::"):
            address = address[:-1]
        end = start + len(address)
        if not (_in_word(text, start - 1) or _in_word(text, end)) and _is_address(address):
            yield start, end


def _in_word(text: str, place: int) -> bool:
    return 0 <= place < len(text) and (text[place].isalnum() or text[place] == "_")


def _is_address(text: str) -> bool:
    if text == "::":
        return False
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


class Expression:
    """A regular expression in RE2's syntax. Raises RuleInvalid for one that cannot be used."""

    def __init__(self, text: str) -> None:
        self._pattern = _compile(text)
        if self._pattern.search("") is not None:
            raise RuleInvalid(
                "expression", "It matches the empty text, so everywhere: have it match something."
            )
        in_context = any(sign in text for sign in _CONTEXT)
        self._quick = None if in_context else re2.compile(text.encode(), _options())

    def spans(self, text: str) -> Iterator[Span]:
        for match in self._pattern.finditer(text):
            if match.end() > match.start():
                yield match.span()

    def may_match(self, document: bytes) -> bool:
        return self._quick is None or self._quick.search(document) is not None


def _compile(text: str) -> "re2._Regexp":
    if not text:
        raise RuleInvalid("expression", "Give a regular expression.")
    if len(text) > MAX_EXPRESSION:
        raise RuleInvalid("expression", f"It has {len(text)} characters; write at most {MAX_EXPRESSION}.")
    try:
        return re2.compile(text, _options())
    except (re2.error, UnicodeEncodeError) as error:
        reason = error.args[0]
        said = reason.decode(errors="replace") if isinstance(reason, bytes) else str(error)
        raise RuleInvalid("expression", f"Not a regular expression of RE2's: {said}.") from None


def _options() -> "re2.Options":
    options = re2.Options()
    options.max_mem = _MAX_PROGRAM_BYTES
    options.log_errors = False
    return options


def make_pattern(name: str, expression: str) -> Pattern:
    """The pattern of a rule: `email`, `card`, `ip` or `custom` with its expression. Raises RuleInvalid."""
    if name == "custom":
        return Expression(expression)
    return _BUILT_IN[name]


_BUILT_IN: Final[dict[str, Pattern]] = {"email": Email(), "card": Card(), "ip": IpAddress()}
