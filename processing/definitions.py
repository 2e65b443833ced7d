"""What a pipeline computes, checked: the definition that a version stores and a worker folds by."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from fnmatch import translate
from typing import Any, Final

from processing.aggregates import AGGREGATES, Aggregate
from processing.errors import InvalidDefinition
from processing.windows import Tumbling

MICROSECOND: Final = timedelta(microseconds=1)
MAX_PATTERNS: Final = 100
DEFAULT_WATERMARK_DELAY: Final = timedelta(seconds=5)
DEFAULT_ALLOWED_LATENESS: Final = timedelta(hours=1)
_PATTERN: Final = re.compile(r"[A-Za-z0-9._:/*?-]{1,200}")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
# The one set of aggregates that definitions have so far, and the columns of `window_result`.
AGGREGATE_NAMES: Final = ("count", "sum", "min", "max")


@dataclass(frozen=True, slots=True)
class Definition:
    """Tumbling windows by event type, with count, sum, min and max of `value`."""

    types: tuple[str, ...]
    window_size: timedelta
    watermark_delay: timedelta = DEFAULT_WATERMARK_DELAY
    allowed_lateness: timedelta = DEFAULT_ALLOWED_LATENESS

    def __post_init__(self) -> None:
        if not 1 <= len(self.types) <= MAX_PATTERNS:
            raise InvalidDefinition(f"types: give between 1 and {MAX_PATTERNS} event types or globs.")
        for pattern in self.types:
            if not _PATTERN.fullmatch(pattern):
                raise InvalidDefinition(
                    f"types: {pattern!r} is not an event type or glob; use letters, digits and . _ : / - * ?"
                )
        if not timedelta(seconds=1) <= self.window_size <= timedelta(days=366):
            raise InvalidDefinition("window.size: choose between 1s and 366d.")
        if not timedelta(0) <= self.watermark_delay <= timedelta(days=1):
            raise InvalidDefinition("watermark_delay: choose between 0s and 1d.")
        if not timedelta(0) <= self.allowed_lateness <= timedelta(days=31):
            raise InvalidDefinition("allowed_lateness: choose between 0s and 31d.")

    @property
    def window(self) -> Tumbling:
        return Tumbling(self.window_size // MICROSECOND)

    @property
    def aggregates(self) -> tuple[Aggregate, ...]:
        return tuple(AGGREGATES[name] for name in AGGREGATE_NAMES)

    def matcher(self) -> Callable[[str], object]:
        """A function that is truthy for event types the definition wants; globs as in `events.routing`."""
        return re.compile("|".join(translate(pattern) for pattern in self.types)).match

    def as_json(self) -> dict[str, Any]:
        return {
            "types": list(self.types),
            "window": {"kind": "tumbling", "size": duration_text(self.window_size)},
            "group_by": ["type"],
            "aggregates": {name: _aggregate_json(name) for name in AGGREGATE_NAMES},
            "watermark_delay": duration_text(self.watermark_delay),
            "allowed_lateness": duration_text(self.allowed_lateness),
        }


def definition_of(stored: dict[str, Any]) -> Definition:
    """The definition that `as_json` gave."""
    return Definition(
        types=tuple(stored["types"]),
        window_size=parse_duration(stored["window"]["size"], field="window.size"),
        watermark_delay=parse_duration(stored["watermark_delay"], field="watermark_delay"),
        allowed_lateness=parse_duration(stored["allowed_lateness"], field="allowed_lateness"),
    )


def parse_duration(text: str, *, field: str) -> timedelta:
    """A whole number and a unit: 10s, 5m, 1h, 7d. Raises InvalidDefinition naming `field`."""
    match = re.fullmatch(r"([0-9]{1,9})([smhd])", text)
    if match is None:
        raise InvalidDefinition(f"{field}: {text!r} is not a duration; write 10s, 5m, 1h or 7d.")
    return timedelta(seconds=int(match[1]) * _SECONDS[match[2]])


def duration_text(duration: timedelta) -> str:
    """The shortest text that `parse_duration` reads back."""
    seconds = duration // timedelta(seconds=1)
    for unit in ("d", "h", "m"):
        if seconds and seconds % _SECONDS[unit] == 0:
            return f"{seconds // _SECONDS[unit]}{unit}"
    return f"{seconds}s"


def _aggregate_json(name: str) -> dict[str, str]:
    return {"fn": name} if name == "count" else {"fn": name, "field": "value"}
