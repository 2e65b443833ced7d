"""What a careful client wrote down: each event before it is sent, each verdict when it is heard; fsynced."""

import hashlib
import json
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Verdict = Literal["unknown", "acknowledged", "refused"]


@dataclass(frozen=True)
class Entry:
    """One event: its reference (in data.ref, whether or not it has an id), a hash of its content."""

    ref: str
    hash: str


def content_hash(*, type: str, source: str, subject: str, value: float | None, ref: str, note: str) -> str:
    """As oracle.py computes it in SQL from the stored columns."""
    number = "" if value is None else f"{value:g}"
    return hashlib.md5("|".join((type, source, subject, number, ref, note)).encode()).hexdigest()


class Ledger:
    """Append-only file of batches and verdicts; the last word on each event is in memory as well."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._lock = threading.Lock()
        self._hashes: dict[str, str] = {}
        self._verdicts: dict[str, Verdict] = {}
        self.acknowledged = 0

    def sent(self, entries: list[Entry]) -> None:
        """Before the first byte goes out: from now on these may be stored."""
        self._append({"sent": [[entry.ref, entry.hash] for entry in entries]})
        with self._lock:
            for entry in entries:
                self._hashes[entry.ref] = entry.hash
                self._verdicts[entry.ref] = "unknown"

    def heard(self, entries: list[Entry], refused: frozenset[int] = frozenset()) -> None:
        """The answer came: all are acknowledged but the positions in `refused`."""
        self._append({"heard": [entry.ref for entry in entries], "refused": sorted(refused)})
        with self._lock:
            for position, entry in enumerate(entries):
                self._verdicts[entry.ref] = "refused" if position in refused else "acknowledged"
            self.acknowledged += len(entries) - len(refused)

    def rows(self) -> list[tuple[str, str, Verdict]]:
        with self._lock:
            return [(ref, self._hashes[ref], verdict) for ref, verdict in self._verdicts.items()]

    def count(self, verdict: Verdict) -> int:
        with self._lock:
            return sum(each == verdict for each in self._verdicts.values())

    def close(self) -> None:
        os.close(self._file)

    def _append(self, record: dict[str, object]) -> None:
        os.write(self._file, json.dumps(record).encode() + b"\n")
        os.fdatasync(self._file)
