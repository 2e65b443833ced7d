"""Which windows an event time falls in. Pure: microseconds since 1970 UTC in, microseconds out."""

from dataclasses import dataclass

MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Tumbling:
    """Windows of one size, side by side, aligned to 1970-01-01 00:00 UTC."""

    size_us: int

    def __post_init__(self) -> None:
        if self.size_us <= 0:
            raise ValueError("A window's size must be more than zero.")


def window_ranges(window: Tumbling, time_us: int) -> list[tuple[int, int]]:
    """The [start, end) ranges that `time_us` falls in, earliest first. Times before 1970 round down too."""
    start = time_us - time_us % window.size_us
    return [(start, start + window.size_us)]


def is_late(*, end_us: int, lateness_us: int, watermark_us: int | None) -> bool:
    """Whether an event comes too late for a window that ends at `end_us`.

    `watermark_us` is the partition's committed watermark; None while none was ever committed.
    """
    return watermark_us is not None and end_us + lateness_us <= watermark_us
