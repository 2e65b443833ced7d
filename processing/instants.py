"""Instants as microseconds since 1970 UTC, which fold fast, and as datetimes, which rows hold."""

from datetime import UTC, datetime, timedelta
from typing import Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def to_us(instant: datetime) -> int:
    return (instant - EPOCH) // _MICROSECOND


def to_instant(microseconds: int) -> datetime:
    return EPOCH + timedelta(microseconds=microseconds)
