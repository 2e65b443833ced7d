"""The buffer on disk: durable, bounded, shared."""

import multiprocessing
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from streamgauge import BufferFull, BufferUnusable, DiskBuffer
from streamgauge.batching import BatchSize
from streamgauge.events import Prepared

Make = Callable[..., DiskBuffer]


def events(*ids: str) -> list[Prepared]:
    return [Prepared(identifier, b'{"id":"%s"}' % identifier.encode()) for identifier in ids]


def ids(buffer: DiskBuffer, most: int = 100) -> list[str]:
    return [row.prepared.id for row in buffer.oldest(BatchSize(events=most))]


def test_it_gives_back_in_order_what_it_was_given_until_it_is_removed(disk: Make) -> None:
    buffer = disk()
    buffer.append(events("c", "a"))
    buffer.append(events("b"))
    assert (ids(buffer), buffer.count()) == (["c", "a", "b"], 3)
    buffer.remove(buffer.oldest(BatchSize(events=2)))
    assert (ids(buffer), buffer.count()) == (["b"], 1)


def test_it_outlives_the_object(disk: Make) -> None:
    first = disk()
    first.append(events("a"))
    first.close()
    assert ids(disk()) == ["a"]


def test_a_full_buffer_takes_all_of_a_call_or_none_and_takes_again_when_there_is_room(disk: Make) -> None:
    buffer = disk(max_bytes=299)
    buffer.append(events("a", "b"))
    with pytest.raises(BufferFull, match="max_bytes"):
        buffer.append(events("c", "d"))
    assert ids(buffer) == ["a", "b"]
    buffer.remove(buffer.oldest(BatchSize(events=1)))
    buffer.append(events("c"))
    assert ids(buffer) == ["b", "c"]


def test_it_hands_out_what_fits_into_one_request(disk: Make) -> None:
    buffer = disk()
    buffer.append(events("a", "b", "c"))
    assert len(buffer.oldest(BatchSize(events=100, bytes=30))) == 2


def test_only_one_of_those_who_share_it_may_send(disk: Make) -> None:
    first, second = disk(), disk()
    assert first.may_drain()
    assert first.may_drain()
    assert not second.may_drain()
    first.close()
    assert second.may_drain()


def test_the_right_to_send_dies_with_its_process(disk: Make) -> None:
    buffer = disk()
    script = (
        "import sys; from streamgauge import DiskBuffer; buffer = DiskBuffer(sys.argv[1]);"
        "print(buffer.may_drain(), flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(buffer.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"True\n"
        assert not buffer.may_drain()
        holder.kill()
    assert buffer.may_drain()


def _append_many(path: Path, name: str) -> None:
    buffer = DiskBuffer(path)
    for number in range(50):
        buffer.append(events(f"{name}-{number}"))
    buffer.close()


def test_processes_that_open_and_append_together_lose_nothing(disk: Make, tmp_path: Path) -> None:
    path = tmp_path / "buffer.sqlite"
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=_append_many, args=(path, name)) for name in "abcd"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0] * 4
    buffer = disk()
    assert buffer.count() == 200
    assert sorted(ids(buffer, 1000)) == sorted(f"{name}-{number}" for name in "abcd" for number in range(50))


def test_what_is_no_buffer_is_named(tmp_path: Path) -> None:
    path = tmp_path / "buffer"
    path.write_bytes(b"not a database, but long enough to be looked at" * 100)
    with pytest.raises(BufferUnusable, match=str(path)):
        DiskBuffer(path)


def test_nobody_else_may_read_it(disk: Make) -> None:
    buffer = disk()
    buffer.append(events("a"))
    for path in buffer.path.parent.glob("buffer.sqlite*"):
        assert path.stat().st_mode & 0o077 == 0, path
