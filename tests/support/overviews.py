"""Overviews for tests of what carries them."""

from monitoring.payloads import Overview, Series


def series(start: int, accepted: list[int], rejected: list[int] | None = None) -> Series:
    return {"start": start, "accepted": accepted, "rejected": rejected or [0] * len(accepted)}


def overview(accepted: int = 0) -> Overview:
    """A quiet project that accepted so many events."""
    return {
        "rate": {"now": 0.0, "peak": 0, "mean": 0.0},
        "totals": {"accepted": accepted, "duplicates": 0, "rejected": 0},
        "series": series(100, [0, 0, 0]),
        "types": [],
        "newest": [],
        "latency": {"p50": None, "p95": None, "p99": None, "requests": 0},
        "lag": {"segments": 0, "events": 0, "seconds": 0.0},
        "rejections": [],
        "quarantine": {"waiting": 0},
        "windows": [],
    }
