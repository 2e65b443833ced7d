"""How a command ends: exit codes, and what became of the events."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, NoReturn

from streamgauge.core import Counts
from streamgauge.errors import InvalidEvent, Rejected

STORED: Final = 0
SOME_REJECTED: Final = 1
USAGE: Final = 2
NOT_DELIVERED: Final = 3
REFUSED: Final = 4
INTERRUPTED: Final = 130
SHOWN_REJECTIONS: Final = 20


class CommandFailed(Exception):
    """Ends the command; the message is for people and names the remedy."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def usage(message: str) -> NoReturn:
    raise CommandFailed(USAGE, message)


@dataclass
class Outcome:
    """`accepted` to `undelivered` count events. `on_disk` is what the buffer still holds, of earlier runs as well."""

    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    undelivered: int = 0
    on_disk: int = 0
    errors: list[dict[str, Any]] = field(default_factory=list)  # the first SHOWN_REJECTIONS

    def add(self, counts: Counts) -> None:
        self.accepted, self.duplicates = counts.accepted, counts.duplicates

    def reject(self, error: Rejected | InvalidEvent, *, line: int | None = None) -> None:
        """Tells people at once, on stderr."""
        self.rejected += 1
        if len(self.errors) == SHOWN_REJECTIONS:
            say(f"… {SHOWN_REJECTIONS} rejections shown, more are counted")
        if self.rejected > SHOWN_REJECTIONS:
            return
        event: Mapping[str, Any] = error.event if isinstance(error, Rejected) else {}
        where = f"line {line}" if line is not None else f"event {event.get('id', '')}"
        say(f"rejected, {where}: {error}")
        self.errors.append(
            {"line": line, "id": event.get("id"), "code": error.code, "message": error.message}
        )

    @property
    def exit_code(self) -> int:
        if self.undelivered:
            return NOT_DELIVERED
        return SOME_REJECTED if self.rejected else STORED

    def show(self, *, as_json: bool) -> None:
        if as_json:
            print(json.dumps(asdict(self)))
            return
        parts = [f"{self.accepted} stored", f"{self.duplicates} duplicates", f"{self.rejected} rejected"]
        parts += [f"{self.undelivered} not delivered"] if self.undelivered else []
        parts += [f"{self.on_disk} on disk, sent by the next run"] if self.on_disk else []
        print(", ".join(parts))


def say(message: str) -> None:
    """To people, so that stdout stays for programs."""
    print(message, file=sys.stderr, flush=True)


def keep_unsent(events: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Appends events that were not delivered, with their ids, so that sending the file stores each once."""
    if not events:
        return
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(event, ensure_ascii=False) + "\n" for event in events)
    say(
        f"{len(events)} events were not delivered; they are in {path}. Send them with: streamgauge send < {path}"
    )
