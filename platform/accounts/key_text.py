"""API keys as text: how one is made, taken apart and compared."""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from typing import Final

PREFIX_LENGTH: Final = 10
KEY_LENGTH: Final = 57
_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz234567"
_FORM: Final = re.compile(r"sg_([a-z2-7]{10})_[A-Za-z0-9_-]{43}", re.ASCII)


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key at its making: `text` is never seen again."""

    text: str
    prefix: str
    digest: bytes


def generate_key() -> NewKey:
    """`sg_` + 10 characters that name it + `_` + 256 random bits."""
    prefix = "".join(secrets.choice(_ALPHABET) for _ in range(PREFIX_LENGTH))
    text = f"sg_{prefix}_{secrets.token_urlsafe(32)}"
    return NewKey(text, prefix, digest(text))


def prefix_of(text: str) -> str | None:
    """The part of a key that names it; None when the text cannot be a key."""
    match = _FORM.fullmatch(text)
    return match[1] if match else None


def digest(text: str) -> bytes:
    """SHA-256, not a password hash: 256 random bits cannot be guessed, and every request pays for this."""
    return hashlib.sha256(text.encode()).digest()


def matches(text: str, stored: bytes) -> bool:
    return hmac.compare_digest(digest(text), stored)
