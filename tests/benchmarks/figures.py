"""What a benchmark reports, and the arithmetic behind it. Pure."""

import math
from collections.abc import Sequence
from typing import TypedDict

Detail = dict[str, str | int | float | None]


class Figure(TypedDict):
    """One entry of .local/bench.json; `limit` was measured in the same run, `ratio` = value / limit."""

    name: str
    value: float
    unit: str
    limit: float | None
    ratio: float | None
    detail: Detail


class Percentiles(TypedDict):
    """Of one sample; in the sample's own unit."""

    p50: float
    p95: float
    p99: float
    max: float


def figure(name: str, value: float, unit: str, *, limit: float | None = None, detail: Detail) -> Figure:
    ratio = None if limit is None else round(value / limit, 3)
    return {
        "name": name,
        "value": tidy(value),
        "unit": unit,
        "limit": None if limit is None else tidy(limit),
        "ratio": ratio,
        "detail": detail,
    }


def tidy(value: float) -> float:
    """Three or more significant digits, and no more than a reader can use."""
    if not math.isfinite(value):
        raise ValueError(f"{value} is not a figure")
    if abs(value) >= 1000:
        return float(round(value))
    return round(value, 1) if abs(value) >= 10 else round(value, 2)


def percentile(ordered: Sequence[float], share: float) -> float:
    """The nearest-rank percentile of a sorted sample, 0 < share <= 1: always a value that was seen."""
    if not ordered:
        raise ValueError("no percentile of an empty sample")
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def percentiles(sample: Sequence[float]) -> Percentiles:
    ordered = sorted(sample)
    return {
        "p50": tidy(percentile(ordered, 0.50)),
        "p95": tidy(percentile(ordered, 0.95)),
        "p99": tidy(percentile(ordered, 0.99)),
        "max": tidy(ordered[-1]),
    }


def milliseconds(sample: Sequence[float]) -> Detail:
    """The percentiles of a sample in milliseconds, as they stand in a figure's detail."""
    found = percentiles(sample)
    return {"p50_ms": found["p50"], "p95_ms": found["p95"], "p99_ms": found["p99"], "max_ms": found["max"]}


def first_seen(sent: Sequence[tuple[float, int]], seen: Sequence[tuple[float, int]]) -> list[float | None]:
    """For each (time, how many had been sent by then): seconds until a (time, how many are shown) covers it.

    Both are in order of time. None where nothing covered it. Whoever looks at a number sees an event when the
    number has counted it.
    """
    waits: list[float | None] = []
    place = 0
    for at, count in sent:
        while place < len(seen) and (seen[place][1] < count or seen[place][0] < at):
            place += 1
        waits.append(seen[place][0] - at if place < len(seen) else None)
    return waits


def render_detail(detail: Detail) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {_show(value)}" for name, value in detail.items())


def _show(value: str | float | None) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else f"{value:,g}" if isinstance(value, float) else f"{value:,}"
