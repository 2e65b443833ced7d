"""The files of imports: written while they arrive, never held in memory, removed when they are read."""

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final
from uuid import UUID

import uuid_utils.compat
from django.conf import settings

from events.errors import RequestRefused

UPLOAD: Final = ".upload"
PLAIN: Final = ".plain"
PART: Final = ".part"
CHECK_EVERY: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Received:
    """A file that is whole on disk."""

    id: UUID
    size: int
    sha256: str


def folder() -> Path:
    """The folder of imported files; only this user may read it."""
    path = Path(settings.IMPORT_DIR)
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def upload_path(job_id: UUID) -> Path:
    """The file as it was sent."""
    return folder() / f"{job_id}{UPLOAD}"


def plain_path(job_id: UUID) -> Path:
    """What a compressed file holds, once a worker has unpacked it."""
    return folder() / f"{job_id}{PLAIN}"


def remove_files(job_id: UUID) -> None:
    for path in folder().glob(f"{job_id}*"):
        path.unlink(missing_ok=True)


class DiskGuard:
    """Counts what is written, and looks at the disk now and then. Raises RequestRefused (413, 507)."""

    def __init__(self, *, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.size = 0
        self._look_at = 0

    def expect(self, size: int) -> None:
        """Refuse what announces itself too large before any of it is read."""
        if size > self.most_bytes:
            raise _too_large(self.most_bytes)
        _check_disk(size)

    def add(self, size: int) -> None:
        self.size += size
        if self.size > self.most_bytes:
            raise _too_large(self.most_bytes)
        if self.size >= self._look_at:
            self._look_at = self.size + CHECK_EVERY
            _check_disk(CHECK_EVERY)


def _too_large(most_bytes: int) -> RequestRefused:
    return RequestRefused(
        413, "file_too_large", f"The file has more than {most_bytes} bytes; split it, or compress it."
    )


def _check_disk(needed: int) -> None:
    if shutil.disk_usage(folder()).free - needed < settings.IMPORT_FREE_BYTES:
        raise RequestRefused(
            507, "disk_full", "The server's disk has no room for this file. Ask an operator to free some."
        )


@dataclass(slots=True, eq=False)
class Receiving:
    """An upload under way: `write` its pieces in order, then `finish`; `abandon` removes what there is."""

    id: UUID = field(default_factory=uuid_utils.compat.uuid7)
    guard: DiskGuard = field(init=False)
    _hash: "hashlib._Hash" = field(init=False)
    _file: BinaryIO = field(init=False)

    def __post_init__(self) -> None:
        self.guard = DiskGuard(most_bytes=settings.IMPORT_MAX_BYTES)
        self._hash = hashlib.sha256()
        descriptor = os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._file = os.fdopen(descriptor, "wb")

    @property
    def _part(self) -> Path:
        return folder() / f"{self.id}{PART}"

    def write(self, piece: bytes) -> None:
        """Raises RequestRefused (413, 507)."""
        self.guard.add(len(piece))
        self._hash.update(piece)
        self._file.write(piece)

    def finish(self) -> Received:
        """The file, on disk for good. Raises RequestRefused when it is empty."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        if not self.guard.size:
            raise RequestRefused(400, "empty_file", "The file is empty; choose one with events in it.")
        self._part.rename(upload_path(self.id))
        return Received(self.id, self.guard.size, self._hash.hexdigest())

    def abandon(self) -> None:
        self._file.close()
        remove_files(self.id)


@contextmanager
def receiving() -> Iterator[Receiving]:
    """An upload that leaves nothing behind when it fails."""
    upload = Receiving()
    try:
        yield upload
    except BaseException:
        upload.abandon()
        raise


def receive(pieces: Iterable[bytes], *, announced: int | None = None) -> Received:
    """Write a file piece by piece. Raises RequestRefused (400, 413, 507); nothing is left behind then."""
    with receiving() as upload:
        if announced is not None:
            upload.guard.expect(announced)
        for piece in pieces:
            upload.write(piece)
        return upload.finish()
