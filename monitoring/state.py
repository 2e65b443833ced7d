"""The hub's states and how one differs from another: pure, so that every socket may have its own pace."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from monitoring.payloads import (
    Changes,
    Data,
    DeltaFrame,
    Imports,
    ImportsChanges,
    Overview,
    OverviewChanges,
    Series,
    SnapshotFrame,
    SnapshotReason,
    Topic,
)


@dataclass(frozen=True, slots=True)
class State:
    """One numbered state of a topic; never changed after it was made, so sockets may keep it."""

    topic: Topic
    project: str
    epoch: str
    seq: int
    as_of: str | None
    stale_since: str | None
    data: Data | None


def snapshot(state: State, reason: SnapshotReason) -> SnapshotFrame:
    return {
        "topic": state.topic,
        "project": state.project,
        "kind": "snapshot",
        "reason": reason,
        "epoch": state.epoch,
        "seq": state.seq,
        "as_of": state.as_of,
        "stale": state.stale_since is not None,
        "stale_since": state.stale_since,
        "data": state.data,
    }


def delta(old: State, new: State) -> DeltaFrame:
    """What a client that holds `old` needs to hold `new`. Both have data, and `old` is the earlier."""
    if old.data is None or new.data is None:
        raise ValueError("a delta needs two states with data")
    return {
        "topic": new.topic,
        "project": new.project,
        "kind": "delta",
        "epoch": new.epoch,
        "after": old.seq,
        "seq": new.seq,
        "as_of": new.as_of,
        "stale": new.stale_since is not None,
        "stale_since": new.stale_since,
        "data": DIFFERENCES[new.topic](old.data, new.data),
    }


def changes(old: Overview, new: Overview) -> OverviewChanges:
    """The parts of `new` that differ from `old`."""
    found: OverviewChanges = {}
    if (tail := series_tail(old["series"], new["series"])) is not None:
        found["series"] = tail
    if old["rate"] != new["rate"]:
        found["rate"] = new["rate"]
    if old["totals"] != new["totals"]:
        found["totals"] = new["totals"]
    if old["types"] != new["types"]:
        found["types"] = new["types"]
    if old["newest"] != new["newest"]:
        found["newest"] = new["newest"]
    if old["latency"] != new["latency"]:
        found["latency"] = new["latency"]
    if old["lag"] != new["lag"]:
        found["lag"] = new["lag"]
    if old["rejections"] != new["rejections"]:
        found["rejections"] = new["rejections"]
    if old["quarantine"] != new["quarantine"]:
        found["quarantine"] = new["quarantine"]
    if old["windows"] != new["windows"]:
        found["windows"] = new["windows"]
    return found


def imports_changes(old: Imports, new: Imports) -> ImportsChanges:
    return {"imports": new["imports"]} if old["imports"] != new["imports"] else {}


# Both states of a delta are of one topic, and so are their data.
DIFFERENCES: Final[Mapping[Topic, Callable[[Any, Any], Changes]]] = {
    "overview": changes,
    "imports": imports_changes,
}


def series_tail(old: Series, new: Series) -> Series | None:
    """`new` from the first second on that `old` lacks or has otherwise; None when it has them all."""
    shift = new["start"] - old["start"]
    common = max(0, min(len(old["accepted"]) - shift, len(new["accepted"]))) if shift >= 0 else 0
    for index in range(common):
        if _second(old, index + shift) != _second(new, index):
            return _from(new, index)
    return _from(new, common) if common < len(new["accepted"]) or shift < 0 else None


def _second(series: Series, index: int) -> tuple[int, int]:
    return series["accepted"][index], series["rejected"][index]


def _from(series: Series, index: int) -> Series:
    return {
        "start": series["start"] + index,
        "accepted": series["accepted"][index:],
        "rejected": series["rejected"][index:],
    }
