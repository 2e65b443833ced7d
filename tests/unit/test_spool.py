"""The spool's files, without a database: what is kept, who holds it, how much fits."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from events.spool import Spool, SpoolFull, adopt_orphans, all_waiting, open_own
from tests.support.processes import ROOT

HOLDER = """
import sys
from pathlib import Path
from uuid import uuid4
from events.spool import open_own
spool = open_own(Path(sys.argv[1]), "default")
spool.append(uuid4(), 3, b"left behind")
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = open_own(tmp_path, "default", max_bytes=1000, max_entries=10)
    yield spool
    spool.close()


def ids(spool: Spool) -> list[UUID]:
    """In the order in which they would be stored."""
    found = []
    while entry := spool.oldest():
        found.append(entry.id)
        spool.remove(entry)
    return found


def test_entries_come_out_in_the_order_they_went_in(spool: Spool) -> None:
    sent = [uuid4() for _ in range(5)]
    for each in sent:
        spool.append(each, 1, b"x")
    assert spool.entries == 5
    assert ids(spool) == sent
    assert (spool.entries, spool.oldest()) == (0, None)


def test_an_entry_is_what_went_in(spool: Spool) -> None:
    flush = uuid4()
    spool.append(flush, 7, b"\x00\xff payload")
    entry = spool.oldest()
    assert entry is not None
    assert (entry.id, entry.events, entry.failures, entry.payload) == (flush, 7, 0, b"\x00\xff payload")


def test_the_same_flush_is_kept_once(spool: Spool) -> None:
    flush = uuid4()
    spool.append(flush, 1, b"x")
    spool.append(flush, 1, b"x")
    assert (spool.entries, spool.waiting().bytes) == (1, 1)
    assert ids(spool) == [flush]


def test_one_that_fails_goes_behind_the_others_and_stays(spool: Spool) -> None:
    first, second = uuid4(), uuid4()
    spool.append(first, 1, b"x")
    spool.append(second, 1, b"x")
    entry = spool.oldest()
    assert entry is not None
    spool.put_back(entry)
    assert spool.waiting().failed == 1
    assert ids(spool) == [second, first]


@pytest.mark.parametrize("size", [0, 400])
def test_it_is_bounded_in_entries_and_bytes_and_takes_more_once_there_is_room(
    spool: Spool, size: int
) -> None:
    fits = 2 if size else 10
    for _ in range(fits):
        spool.append(uuid4(), 1, b"x" * size)
    with pytest.raises(SpoolFull):
        spool.append(uuid4(), 1, b"x" * size)
    assert spool.full
    assert spool.entries == fits
    entry = spool.oldest()
    assert entry is not None
    spool.remove(entry)
    spool.append(uuid4(), 1, b"x" * size)


def test_a_disk_that_is_full_is_said_and_loses_nothing_that_was_kept(tmp_path: Path) -> None:
    spool = open_own(tmp_path, "default")
    kept = uuid4()
    spool.append(kept, 1, b"x")
    pages = spool._file.execute("PRAGMA page_count").fetchone()[0]
    spool._file.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(SpoolFull, match="disk"):
        spool.append(uuid4(), 1, b"x" * 100_000)
    assert ids(spool) == [kept]
    spool.close()


def test_its_disk_is_given_back_once_it_is_empty(tmp_path: Path) -> None:
    spool = open_own(tmp_path, "default")
    for _ in range(50):
        spool.append(uuid4(), 1, b"x" * 100_000)
    assert len(ids(spool)) == 50
    assert sum(path.stat().st_size for path in tmp_path.glob("*.sqlite3*")) < 200_000
    spool.close()


def test_a_slot_has_one_holder(tmp_path: Path, spool: Spool) -> None:
    other = open_own(tmp_path, "default")
    other.append(uuid4(), 2, b"x")
    assert list(adopt_orphans(tmp_path, "default")) == []
    assert (all_waiting(tmp_path).entries, all_waiting(tmp_path).events) == (1, 2)
    other.close()


def test_what_a_killed_process_left_is_taken_over(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={"PYTHONPATH": str(ROOT)}
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"ready\n"
        mine = open_own(tmp_path, "default")  # another slot: the first one is held
        assert mine.entries == 0
        assert list(adopt_orphans(tmp_path, "default")) == []
        holder.kill()
    (orphan,) = adopt_orphans(tmp_path, "default")
    entry = orphan.oldest()
    assert entry is not None
    assert (entry.events, entry.payload) == (3, b"left behind")
    orphan.remove(entry)
    orphan.close(discard=True)
    assert len(list(tmp_path.glob("*.sqlite3"))) == 1
    mine.close()


def test_what_waits_for_one_database_is_not_taken_over_for_another(tmp_path: Path) -> None:
    for name in ("demo", "demo-2"):
        spool = open_own(tmp_path, name)
        spool.append(uuid4(), 1, name.encode())
        spool.close()
    for name in ("demo", "demo-2"):
        (orphan,) = adopt_orphans(tmp_path, name)
        entry = orphan.oldest()
        assert entry is not None
        assert entry.payload == name.encode()
        orphan.close()


def test_what_was_kept_is_there_when_the_slot_is_opened_again(tmp_path: Path) -> None:
    spool = open_own(tmp_path, "default")
    kept = uuid4()
    spool.append(kept, 1, b"x")
    spool.close()
    again = open_own(tmp_path, "default")
    assert again.entries == 1
    assert ids(again) == [kept]
    again.close()


def test_a_damaged_file_is_set_aside_and_kept(tmp_path: Path) -> None:
    (tmp_path / "default-0.sqlite3").write_bytes(b"not a database at all" * 100)
    spool = open_own(tmp_path, "default")
    spool.append(uuid4(), 1, b"x")
    assert len(list(tmp_path.glob("*.damaged-*"))) == 1
    spool.close()


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    spool = open_own(folder, "default")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    spool.close()


def test_each_entry_is_synced(spool: Spool) -> None:
    assert spool._file.execute("PRAGMA synchronous").fetchone() == (2,)
    assert spool._file.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert isinstance(spool._file, sqlite3.Connection)
