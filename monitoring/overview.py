"""Reads what the overview shows, through the selectors of events and processing."""

from datetime import UTC, datetime
from typing import Final

from events.quarantine.selectors import count_waiting
from events.selectors import (
    Traffic,
    select_ack_latency,
    select_latest_rejections,
    select_newest_events,
    select_traffic,
)
from monitoring.payloads import (
    ClosedWindow,
    Lag,
    Latency,
    NewEvent,
    Overview,
    Rate,
    Rejection,
    Series,
    Totals,
    TypeCount,
)
from processing.selectors import lag, latest_windows

RATE_SECONDS: Final = 5
MOST_TYPES: Final = 8
MOST_EVENTS: Final = 12
MOST_REJECTIONS: Final = 5
MOST_WINDOWS: Final = 10
# What a sender put into an event may be long; a table's cell is not.
MOST_CHARACTERS: Final = 200


def read_overview(project_id: int) -> Overview:
    """The overview of a project as its rows are now. Raises django.db.Error when they cannot be read."""
    traffic = select_traffic(project_id=project_id)
    return {
        "rate": _rate(traffic),
        "totals": _totals(traffic),
        "series": _series(traffic),
        "types": _types(traffic),
        "newest": _newest(project_id),
        "latency": _latency(),
        "lag": _lag(),
        "rejections": _rejections(project_id),
        "quarantine": {"waiting": count_waiting(project_id=project_id)},
        "windows": _windows(project_id),
    }


def _rate(traffic: Traffic) -> Rate:
    accepted = [second.accepted for second in traffic.seconds]
    lately = accepted[-RATE_SECONDS:]
    return {
        "now": sum(lately) / len(lately),
        "peak": max(accepted),
        "mean": round(sum(accepted) / len(accepted), 1),
    }


def _totals(traffic: Traffic) -> Totals:
    total = traffic.total
    return {"accepted": total.accepted, "duplicates": total.duplicate, "rejected": total.rejected}


def _series(traffic: Traffic) -> Series:
    return {
        "start": int(traffic.start.timestamp()),
        "accepted": [second.accepted for second in traffic.seconds],
        "rejected": [second.rejected for second in traffic.seconds],
    }


def _types(traffic: Traffic) -> list[TypeCount]:
    """The busiest types, each with its mean rate over the window."""
    seconds = len(traffic.seconds)
    busiest = [row for row in traffic.types if row.counts.accepted][:MOST_TYPES]
    return [
        {"type": row.type, "events": row.counts.accepted, "rate": round(row.counts.accepted / seconds, 2)}
        for row in busiest
    ]


def _newest(project_id: int) -> list[NewEvent]:
    return [
        {
            "uid": str(event.uid),
            "id": _short(event.id),
            "type": event.type,
            "source": _short(event.source),
            "subject": _short(event.subject),
            "value": event.value,
            "time": _moment(event.time),
            "received_at": _moment(event.received_at),
        }
        for event in select_newest_events(project_id=project_id, limit=MOST_EVENTS)
    ]


def _latency() -> Latency:
    found = select_ack_latency()
    return {
        "p50": _one_decimal(found.p50),
        "p95": _one_decimal(found.p95),
        "p99": _one_decimal(found.p99),
        "requests": found.requests,
    }


def _lag() -> Lag:
    found = lag()
    return {"segments": found.segments, "events": found.events, "seconds": round(found.seconds, 1)}


def _rejections(project_id: int) -> list[Rejection]:
    return [
        {
            "id": str(row.id),
            "received_at": _moment(row.received_at),
            "type": _short(row.type),
            "code": row.code,
            "pointer": _short(row.pointer),
            "message": _short(row.message),
        }
        for row in select_latest_rejections(project_id=project_id, limit=MOST_REJECTIONS)
    ]


def _windows(project_id: int) -> list[ClosedWindow]:
    return [
        {
            "id": f"{window.version_id} {window.group_key} {_moment(window.start)}",
            "pipeline": window.pipeline,
            "group": _short(window.group_key),
            "start": _moment(window.start),
            "end": _moment(window.end),
            "events": window.count,
            "sum": window.sum,
            "min": window.min,
            "max": window.max,
            "revision": window.revision,
            "final": window.final,
            "partial": window.partial,
        }
        for window in latest_windows(project_id=project_id, limit=MOST_WINDOWS)
    ]


def _moment(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="milliseconds")


def _one_decimal(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def _short(text: str) -> str:
    return text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 1] + "…"
