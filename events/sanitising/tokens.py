"""Keyed hashes that stand for a value: equal values get equal tokens, and a token is known as one. Pure."""

import hmac
from base64 import b32decode, b32encode
from binascii import Error as NotBase32
from collections.abc import Iterator
from hashlib import sha256
from typing import Final

import re2

PREFIX: Final = "sgh_"
MASK: Final = "***"
_DIGEST_BYTES: Final = 16
_CHECK_BYTES: Final = 4
_SETTLED: Final = re2.compile(r"\*\*\*|sgh_[a-z2-7]{32}")
TOKEN_LENGTH: Final = len(PREFIX) + 32


class Tokens:
    """Tokens of one project. `key` is secret: without it neither a value can be tried nor a token be forged.

    A token is `sgh_` and 32 characters: 128 bits of HMAC-SHA256 of the value (RFC 2104) and a check of 32 bits,
    by which the project's own tokens are recognised, so that hashing twice is hashing once.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def token(self, text: str) -> str:
        """The token of a text; a token is its own."""
        if self.is_token(text):
            return text
        digest = self._hmac(b"value\0" + text.encode("utf-8", "surrogatepass"))[:_DIGEST_BYTES]
        return PREFIX + b32encode(digest + self._check(digest)).decode().lower()

    def is_token(self, text: str) -> bool:
        if len(text) != TOKEN_LENGTH or not text.startswith(PREFIX):
            return False
        try:
            packed = b32decode(text[len(PREFIX) :].upper())
        except (NotBase32, ValueError):
            return False
        digest, check = packed[:_DIGEST_BYTES], packed[_DIGEST_BYTES:]
        return hmac.compare_digest(check, self._check(digest))

    def settles(self, text: str) -> bool:
        """Whether a text may have settled parts."""
        return MASK in text or PREFIX in text

    def segments(self, text: str) -> Iterator[tuple[bool, str]]:
        """(settled, part) of a text in order: masks and tokens are settled, and no pattern looks at them again."""
        start = 0
        if self.settles(text):
            for match in _SETTLED.finditer(text):
                if match.group() == MASK or self.is_token(match.group()):
                    yield False, text[start : match.start()]
                    yield True, match.group()
                    start = match.end()
        yield False, text[start:]

    def _check(self, digest: bytes) -> bytes:
        return self._hmac(b"check\0" + digest)[:_CHECK_BYTES]

    def _hmac(self, message: bytes) -> bytes:
        return hmac.digest(self._key, message, sha256)
