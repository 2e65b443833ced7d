"""What a process remembers of keys, for less than a second: pure, callers pass the clock."""

import hmac
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from math import inf
from pathlib import Path
from typing import Any, Final

from accounts.allowances import key_limits
from accounts.errors import InvalidKey
from accounts.identity import KeyIdentity
from accounts.key_text import prefix_of

# A revoked key is refused within a second: an answer comes from memory for at most STALE_SECONDS.
FRESH_SECONDS: Final = 0.4
STALE_SECONDS: Final = 0.9
MAX_REMEMBERED: Final = 10_000
SELECT_KEYS: Final = (Path(__file__).parent / "sql" / "select_keys.sql").read_text()
TOUCH_KEYS: Final = (Path(__file__).parent / "sql" / "touch_keys.sql").read_text()

UNKNOWN: Final = "This API key is not known here. Check that it was copied whole, or create another one."
REVOKED: Final = "This API key was revoked. Create another one."
EXPIRED: Final = "This API key has expired. Create another one."
MALFORMED: Final = "This is not an API key: one begins with sg_ and has 57 characters."


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key as the database has it."""

    digest: bytes
    identity: KeyIdentity
    revoked: bool
    seconds_left: float | None


def key_row(row: Sequence[Any]) -> KeyRow:
    """A row of SELECT_KEYS."""
    prefix, digest, key_id, project_id, slug, scopes, expires_at, retention, limit, policy = row[:10]
    revoked, left, *limiting = row[10:]
    identity = KeyIdentity(
        key_id, prefix, project_id, slug, frozenset(scopes), expires_at, retention, limit, policy,
        key_limits(limiting),
    )  # fmt: skip
    return KeyRow(bytes(digest), identity, revoked, left)


class _Entry:
    __slots__ = ("digest", "ends", "fresh_until", "identity", "prefix", "refusal", "stale_until")

    def __init__(self, row: KeyRow, read_at: float) -> None:
        self.digest = row.digest
        self.identity = row.identity
        self.prefix = row.identity.prefix
        self.fresh_until = read_at + FRESH_SECONDS
        self.stale_until = read_at + STALE_SECONDS
        self.ends = inf if row.seconds_left is None else read_at + row.seconds_left
        self.refusal = REVOKED if row.revoked else None

    def check(self, text: str, now: float) -> None:
        """Raises InvalidKey unless `text` is this key, and it was valid when it was read and has not expired since."""
        # surrogatepass: any text at all must end in a refusal, not in an encoding error.
        if not hmac.compare_digest(sha256(text.encode("utf-8", "surrogatepass")).digest(), self.digest):
            raise InvalidKey(UNKNOWN)
        if self.refusal is not None:
            raise InvalidKey(self.refusal)
        if now >= self.ends:
            raise InvalidKey(EXPIRED)


class KeyTable:
    """Keys read less than a second ago, and names that lately had no key.

    `want` is called with a prefix that should be read again soon, at most once per key and read. Unknown
    names are kept apart and forgotten oldest first: a flood of them evicts no real key and holds no memory.
    """

    def __init__(self, *, want: Callable[[str], object], used: dict[int, float]) -> None:
        self._want = want
        self._used = used
        self._known: dict[str, _Entry] = {}
        self._unknown: OrderedDict[str, float] = OrderedDict()

    def find(self, text: str, now: float) -> KeyIdentity | None:
        """The key's identity; None when it must be read first. Raises InvalidKey. The hot path of ingest."""
        entry = self._known.get(text[3:13])
        if entry is None or now >= entry.stale_until:
            self._check_unknown(text, now)
            return None
        if now >= entry.fresh_until:
            entry.fresh_until = inf
            self._want(entry.prefix)
        entry.check(text, now)
        self._used[entry.identity.key_id] = now
        return entry.identity

    def last_known(self, text: str, now: float, within: float) -> KeyIdentity | None:
        """The key's identity as it was read at most `within` seconds ago, if it was valid then.

        For when keys cannot be read: a key revoked since is not noticed. Raises InvalidKey for another secret.
        """
        entry = self._known.get(text[3:13])
        if entry is None or now >= entry.stale_until - STALE_SECONDS + within:
            return None
        entry.check(text, now)
        return entry.identity

    def _check_unknown(self, text: str, now: float) -> None:
        prefix = prefix_of(text)
        if prefix is None:
            raise InvalidKey(MALFORMED)
        if now < self._unknown.get(prefix, 0.0):
            self._unknown.move_to_end(prefix)
            raise InvalidKey(UNKNOWN)

    def learn(self, prefixes: Iterable[str], rows: Iterable[KeyRow], read_at: float) -> None:
        """Remember what a read that began at `read_at` found, and did not find, for these prefixes."""
        found = {row.identity.prefix: row for row in rows}
        for prefix in prefixes:
            if row := found.get(prefix):
                self._known[prefix] = _Entry(row, read_at)
                self._unknown.pop(prefix, None)
            else:
                self._known.pop(prefix, None)
                self._unknown[prefix] = read_at + STALE_SECONDS
                self._unknown.move_to_end(prefix)
        self._forget()

    def read_failed(self, prefixes: Iterable[str]) -> None:
        """A refresh came to nothing: let the next use ask again."""
        for prefix in prefixes:
            if entry := self._known.get(prefix):
                entry.fresh_until = 0.0

    def _forget(self) -> None:
        while len(self._unknown) > MAX_REMEMBERED:
            self._unknown.popitem(last=False)
        while len(self._known) > MAX_REMEMBERED:
            del self._known[next(iter(self._known))]

    def __len__(self) -> int:
        return len(self._known) + len(self._unknown)
