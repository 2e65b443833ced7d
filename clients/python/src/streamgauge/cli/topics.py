"""Topics of the live socket that have events in them. Pure: frames in, events out."""

from __future__ import annotations

from typing import Any, Protocol

REMEMBERED = 200


class Topic(Protocol):
    """What `tail` subscribes to. A topic that pushes every event would be another of these."""

    name: str
    notice: str  # what people should know about what they see

    def params(self) -> dict[str, Any]:
        """Of the subscription."""

    def events(self, frame: dict[str, Any]) -> list[dict[str, Any]]:
        """Those of this frame that were not in one before, oldest first."""


class OverviewSample:
    """The newest events of the overview, of which a busy project shows a sample only."""

    name = "overview"
    notice = (
        "Newest events as the Overview page shows them: all of a quiet project, a sample of a busy one"
        " (the 12 newest, at most four times a second). To count or keep events, query them."
    )

    def __init__(self, project: str) -> None:
        self._project = project
        self._seen: dict[str, None] = {}

    def params(self) -> dict[str, Any]:
        return {"project": self._project}

    def events(self, frame: dict[str, Any]) -> list[dict[str, Any]]:
        newest = frame.get("data", {}).get("newest", [])
        fresh = [event for event in reversed(newest) if event["uid"] not in self._seen]
        self._seen.update(dict.fromkeys(event["uid"] for event in fresh))
        for uid in list(self._seen)[:-REMEMBERED]:
            del self._seen[uid]
        return fresh
