"""Patches one module of the product as it is imported; which one, CHAOS_MUTANT says."""

import importlib.abc
import importlib.machinery
import os
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

Patch = Callable[[Any], None]


def no_identity(storage: Any) -> None:
    """Every event is new."""
    storage._find_duplicates = lambda cursor, flush, generation: set()


def acknowledge_before_commit(writer: Any) -> None:
    """Answer first, then commit."""
    commit = writer.Writer._commit

    def _commit(self: Any, flush: Any) -> Any:
        verdicts = writer.answers_of(flush, writer.Outcome(datetime.now(UTC)))
        for submission, verdict in zip(flush.submissions, verdicts, strict=True):
            submission.deliver(verdict)
            submission.deliver = lambda answer: None
        return commit(self, flush)

    writer.Writer._commit = _commit


def no_flush_receipt(writer: Any) -> None:
    """Each try of a flush goes under a new id."""
    attempt = writer.Writer._attempt

    def _attempt(self: Any, flush: Any) -> Any:
        flush.id = type(flush)([]).id
        return attempt(self, flush)

    writer.Writer._attempt = _attempt


def state_apart_from_deletion(draining: Any) -> None:
    """Commit the folded state on a connection of its own."""
    from events.packed import register_packed_arrays

    save = draining.save

    def apart(cursor: Any, fold: Any, router: Any) -> None:
        connection = type(cursor.connection).connect(_dsn(cursor.connection))
        register_packed_arrays(connection)
        with connection, connection.cursor() as other:
            save(other, fold, router)

    draining.save = apart


def _dsn(connection: Any) -> str:
    password = connection.info.password
    return f"{connection.info.dsn} password={password}"


def rotation_without_epoch(epoch: Any) -> None:
    """Change the generation while flushes are open."""
    epoch.EPOCH = 1


def locks_outlive_a_frozen_process(connections: Any) -> None:
    """No limit on how long a transaction may be idle."""
    connections.WRITER_IDLE_IN_TRANSACTION = "0"


def drain_under_new_ids(drainer: Any) -> None:
    """An entry is another flush each time it is stored, and its events other events."""
    decode = drainer.decode_flush

    def decode_flush(flush_id: Any, payload: Any) -> Any:
        flush = decode(flush_id, payload)
        flush.id = type(flush)([]).id
        for event in flush.events:
            event.uid = type(flush)([]).id.bytes
            event.row = event.row[:26] + event.uid + event.row[42:]
        return flush

    drainer.decode_flush = decode_flush


def spool_in_memory(spool: Any) -> None:
    """Answer 202 for what is gone with the process."""
    connect = spool._connect
    spool._connect = lambda path: connect(":memory:")


PATCHES: dict[str, tuple[str, Patch]] = {
    "no_identity": ("events.storage", no_identity),
    "acknowledge_before_commit": ("events.writer", acknowledge_before_commit),
    "no_flush_receipt": ("events.writer", no_flush_receipt),
    "state_apart_from_deletion": ("processing.draining", state_apart_from_deletion),
    "rotation_without_epoch": ("events.epoch", rotation_without_epoch),
    "drain_under_new_ids": ("events.drainer", drain_under_new_ids),
    "spool_in_memory": ("events.spool", spool_in_memory),
    "locks_outlive_a_frozen_process": ("events.connections", locks_outlive_a_frozen_process),
}


class PatchingLoader(importlib.abc.Loader):
    """Runs the module's own loader, then the patch."""

    def __init__(self, loader: importlib.abc.Loader, patch: Patch) -> None:
        self._loader = loader
        self._patch = patch

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        self._patch(module)


class PatchingFinder(importlib.abc.MetaPathFinder):
    """Finds one module where it is, and has it patched."""

    def __init__(self, target: str, patch: Patch) -> None:
        self._target = target
        self._patch = patch

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._target:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path)
        if spec is not None and spec.loader is not None:
            spec.loader = PatchingLoader(spec.loader, self._patch)
        return spec


if mutant := os.environ.get("CHAOS_MUTANT"):
    sys.meta_path.insert(0, PatchingFinder(*PATCHES[mutant]))
