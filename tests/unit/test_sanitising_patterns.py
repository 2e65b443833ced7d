"""What is found in strings: emails, card numbers, addresses, and expressions of people's own."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.sanitising.errors import RuleInvalid
from events.sanitising.patterns import Card, Email, Expression, IpAddress, Pattern, passes_luhn


def found(pattern: Pattern, text: str) -> list[str]:
    return [text[start:end] for start, end in pattern.spans(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "write to ada@example.com, or bob+x@mail.example.org.",
            ["ada@example.com", "bob+x@mail.example.org"],
        ),
        ("<ada@example.com>", ["ada@example.com"]),
        ("ada@bücher.example", ["ada@bücher.example"]),
        ("ada@localhost", []),
        ("@ada and a @ b.c", []),
    ],
)
def test_emails_are_found(text: str, expected: list[str]) -> None:
    assert found(Email(), text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("card 4111111111111111 declined", ["4111111111111111"]),
        ("4111 1111 1111 1111", ["4111 1111 1111 1111"]),
        ("order 12 4111-1111-1111-1111 7", ["4111-1111-1111-1111"]),
        ("378282246310005", ["378282246310005"]),
        ("4111111111111112", []),
        ("1385212345678", []),
        ("41111111111111111111111", []),
        ("4111 1111 1111 1111 5555 5555 5555 4444", ["4111 1111 1111 1111", "5555 5555 5555 4444"]),
    ],
)
def test_card_numbers_are_found(text: str, expected: list[str]) -> None:
    assert found(Card(), text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("from 192.168.0.1:8080.", ["192.168.0.1"]),
        ("10.0.0.1, 10.0.0.2", ["10.0.0.1", "10.0.0.2"]),
        ("[2001:db8::1]:443", ["2001:db8::1"]),
        ("::ffff:192.0.2.1", ["::ffff:192.0.2.1"]),
        ("::1", ["::1"]),
        ("at fe80::1: refused", ["fe80::1"]),
        ("version v1.2.3.4, 1.2.3, 1.2.3.4.5, 999.1.1.1", []),
        ("std::dec and 12:34:56", []),
        ("2026-01-31T12:00:00+00:00", []),
    ],
)
def test_addresses_are_found(text: str, expected: list[str]) -> None:
    assert found(IpAddress(), text) == expected


@pytest.mark.parametrize("text", ["(", "(?=a)b", r"(a)\1", "", "a*", "x" * 501, "(a{500}){500}"])
def test_an_expression_that_cannot_be_used_says_why(text: str) -> None:
    with pytest.raises(RuleInvalid) as refused:
        Expression(text)
    assert refused.value.field == "expression"


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (Expression("(a+)+b"), "a" * 200_000),
        (Email(), "a" * 200_000 + "@"),
        (Card(), "1 " * 100_000),
        (Card(), "4" * 200_000),
        (IpAddress(), "1." * 100_000),
        (IpAddress(), "a:" * 100_000),
        (IpAddress(), "1.2.3.4 ::1 " * 15_000),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else value[:4],
)
def test_hostile_texts_cost_no_more_than_their_length(pattern: Pattern, text: str) -> None:
    begun = time.process_time()
    list(pattern.spans(text))
    assert time.process_time() - begun < 5, "quadratic would be minutes"


@given(st.integers(10**11, 10**17))
def test_one_digit_makes_any_number_pass_luhn_and_no_other_does(number: int) -> None:
    digits = [int(digit) for digit in str(number)]
    assert sum(passes_luhn([*digits, check]) for check in range(10)) == 1


@given(st.text(alphabet="abc@.:0123456789 4f-", max_size=80))
def test_the_quick_look_never_misses_what_is_there(text: str) -> None:
    document = b'{"a":"%s"}' % text.encode()
    for pattern in (Email(), Card(), IpAddress(), Expression("[ab]c[0-9]"), Expression("^4")):
        if found(pattern, text):
            assert pattern.may_match(document)
