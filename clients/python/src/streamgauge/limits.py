"""The server's limits, by which batches are cut. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """As `GET /api/v1/limits` publishes them; the defaults are those of a server that was not asked."""

    event_bytes: int = 256 * 1024
    events_per_request: int = 5_000
    request_bytes: int = 10 * 1024 * 1024
    request_bytes_decompressed: int = 10 * 1024 * 1024

    @property
    def body_bytes(self) -> int:
        """A body fits, whether it is compressed or not."""
        return min(self.request_bytes, self.request_bytes_decompressed)

    @classmethod
    def read(cls, document: object) -> Limits:
        """Unknown members are ignored; missing or senseless ones keep their defaults."""
        members = document if isinstance(document, dict) else {}
        known = {name: members.get(name) for name in cls.__dataclass_fields__}
        return cls(**{name: value for name, value in known.items() if type(value) is int and value > 0})
