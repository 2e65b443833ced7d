"""Imports by a worker's turns: every format, broken files, and turns that end anywhere."""

import os
import threading
from collections.abc import Iterator
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from django.db import connections
from django.utils import timezone
from pyarrow import parquet
from pytest_django import Settings

from accounts.services import bump_policy_version
from events import policies
from events.decoding import Event
from events.errors import InvalidEvent
from events.imports import parquet_reading, sending
from events.imports.errors import LeaseLost
from events.imports.files import folder, receive, upload_path
from events.imports.models import ImportJob
from events.imports.running import run_import
from events.imports.services import cancel_import, create_import, delete_import, tidy_imports
from events.imports.sources import batches_of
from events.imports.storage import claim
from tests.support.imports import NOW, event, finish, ndjson, packed, queue, refusals
from tests.support.ingest import Books, Tenant, make_tenant, route

MANY = ndjson(event(n) for n in range(20_000))
CSV = {
    "fields": {
        "type": {"constant": "csv.row"},
        "time": {"column": "at", "zone": "UTC"},
        "value": {"column": "n"},
        "data.text": {"column": "text"},
    }
}


@pytest.fixture(autouse=True)
def _import_dir(books: Books, settings: Settings, tmp_path: Path) -> Iterator[None]:
    settings.IMPORT_DIR = tmp_path / "imports"
    yield
    ImportJob.objects.all().delete()


def values(books: Books, tenant: Tenant) -> list[Any]:
    return sorted(row["value"] for row in books.events(tenant.id))


@pytest.mark.parametrize("encoding", ["", "gzip", "zstd"])
def test_ndjson_is_stored_row_by_row(encoding: str, tenant: Tenant, books: Books) -> None:
    content = ndjson(event(n) for n in range(7_000))
    job = finish(queue(tenant, packed(content, encoding)))
    assert (job.state, job.accepted, job.duplicates, job.rejected) == ("done", 7_000, 0, 0)
    assert values(books, tenant) == list(range(7_000))
    assert job.line == 7_000
    assert list(folder().iterdir()) == []


def test_csv_goes_through_its_mapping(tenant: Tenant, books: Books) -> None:
    rows = "".join(
        f'{NOW - timedelta(seconds=n):%Y-%m-%d %H:%M:%S},{n},"a ""b"",\nc"\r\n' for n in range(3_000)
    )
    job = finish(queue(tenant, b"at,n,text\r\n" + rows.encode(), name="rows.csv", mapping=CSV))
    assert (job.state, job.accepted, job.rejected) == ("done", 3_000, 0)
    assert values(books, tenant) == list(range(3_000))
    stored = books.events(tenant.id)[0]
    assert (stored["type"], stored["data"]) == ("csv.row", {"text": 'a "b",\nc'})


def test_parquet_goes_through_its_mapping(tenant: Tenant, books: Books) -> None:
    times = pyarrow.array([NOW - timedelta(seconds=n) for n in range(3_000)], pyarrow.timestamp("ns", "UTC"))
    table = pyarrow.table({"at": times, "n": list(range(3_000)), "text": ["x"] * 3_000})
    buffer = BytesIO()
    parquet.write_table(table, buffer, row_group_size=1_234)
    job = finish(queue(tenant, buffer.getvalue(), name="rows.parquet", mapping=CSV))
    assert (job.state, job.accepted, job.total) == ("done", 3_000, 3_000)
    assert values(books, tenant) == list(range(3_000))


def test_without_pyarrow_the_import_names_the_extra(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> Any:
        raise ImportError(name)

    buffer = BytesIO()
    parquet.write_table(pyarrow.table({"at": ["x"], "n": [1], "text": ["y"]}), buffer)
    monkeypatch.setattr(parquet_reading, "import_module", absent)
    job = finish(queue(tenant, buffer.getvalue(), name="rows.parquet", mapping=CSV))
    assert (job.state, job.error_code) == ("failed", "parquet_not_installed")
    assert "streamgauge[parquet]" in job.error


def test_refused_rows_are_kept_by_line_and_the_others_are_stored(tenant: Tenant, books: Books) -> None:
    lines = [
        ndjson([event(1)]).strip(),
        b"",
        b"not json",
        b'{"type": "a", "colour": 1}',
        b'{"type": "a", "data": {"x": "\\u0000"}}',
        b'{"type": "a", "data": {"x": 1e-99999}}',
        b"\xff\xfe",
        b"x" * (257 * 1024),
        ndjson([event(2)]).strip(),
    ]
    job = finish(queue(tenant, b"\n".join(lines)))
    assert (job.state, job.accepted, job.rejected) == ("done", 2, 6)
    assert refusals(job) == [
        (3, "malformed_json"),
        (4, "unknown_field"),
        (5, "nul_character"),
        (6, "not_storable"),
        (7, "invalid_utf8"),
        (8, "event_too_large"),
    ]
    assert values(books, tenant) == [1, 2]


def test_refused_csv_rows_are_kept_as_the_file_has_them(tenant: Tenant) -> None:
    content = f'at,n,text\n{NOW:%Y-%m-%d %H:%M:%S},1,"a\nb"\nsoon,2,x\n{NOW:%Y-%m-%d %H:%M:%S},many,"c\nd"\n'
    job = finish(queue(tenant, content.encode(), name="rows.csv", mapping=CSV))
    assert (job.accepted, refusals(job)) == (1, [(4, "invalid_time"), (5, "wrong_type")])


def test_ids_of_the_senders_make_duplicates_and_two_imports_store_once(tenant: Tenant, books: Books) -> None:
    content = ndjson(event(n, id=f"i-{n % 500}") for n in range(1_000))
    first, second = finish(queue(tenant, content)), finish(queue(tenant, content))
    assert (first.accepted, first.duplicates) == (500, 500)
    assert (second.accepted, second.duplicates) == (0, 1_000)
    assert books.stored(tenant.id) == 500


def test_it_reaches_past_the_live_limit_but_not_past_the_raw_retention(books: Books) -> None:
    tenant = make_tenant(raw_retention_days=30, live_limit_days=1)
    old = [event(1, time=(NOW - timedelta(days=days)).isoformat()) for days in (20, 40)]
    job = finish(queue(tenant, ndjson(old)))
    assert (job.accepted, refusals(job)) == (1, [(2, "time_out_of_range")])


def test_what_it_stores_never_enters_the_log(tenant: Tenant, books: Books) -> None:
    route(tenant.id, ["*"])
    finish(queue(tenant, ndjson(event(n) for n in range(10))))
    assert books.stored(tenant.id) == 10
    assert books.logged(tenant.id) == []


def test_the_project_s_policy_screens_imported_rows(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse_odd(event: Event) -> Event:
        if event.value and int(event.value) % 2:
            raise InvalidEvent("odd", "/value", "odd")
        return event

    monkeypatch.setattr(policies, "LOADERS", (lambda project_id, using: (refuse_odd,),))
    bump_policy_version(project_id=tenant.id)
    job = finish(queue(tenant, ndjson(event(n) for n in range(10))))
    assert (job.accepted, job.rejected) == (5, 5)


@pytest.mark.parametrize(
    ("content", "name", "code"),
    [
        (packed(MANY, "gzip")[:-9], "a.ndjson.gz", "broken_encoding"),
        (packed(MANY, "zstd")[:-9], "a.ndjson.zst", "broken_encoding"),
        (packed(MANY, "gzip") + b"rubbish", "a.ndjson.gz", "broken_encoding"),
        (packed(bytes(100_000_000), "gzip"), "a.ndjson.gz", "expands_too_far"),
        (packed(bytes(100_000_000), "zstd"), "a.ndjson.zst", "expands_too_far"),
        (b"PAR1" + b"x" * 1_000, "a.parquet", "broken_file"),
        (b"a,b\n1,2\n", "a.csv", "missing_column"),
    ],
    ids=[
        "gzip cut off",
        "zstd cut off",
        "gzip and rubbish",
        "gzip bomb",
        "zstd bomb",
        "no parquet",
        "other columns",
    ],
)
def test_a_file_that_cannot_be_read_fails_and_leaves_nothing(
    content: bytes, name: str, code: str, tenant: Tenant, books: Books
) -> None:
    job = finish(queue(tenant, content, name=name, mapping=None if "ndjson" in name else CSV))
    assert (job.state, job.error_code) == ("failed", code), job.error
    assert books.stored(tenant.id) == 0
    assert list(folder().iterdir()) == []


def test_turns_that_end_after_each_batch_store_each_row_once(tenant: Tenant, books: Books) -> None:
    job = queue(tenant, ndjson(event(n, source="x" * 900) for n in range(2_000)))
    turns = 0
    while not job.finished:
        run_import(seconds=0, only=job.pk)
        job.refresh_from_db()
        turns += 1
    assert turns > 5
    assert (job.accepted, job.line) == (2_000, 2_000)
    assert values(books, tenant) == list(range(2_000))


def expire(job: ImportJob) -> None:
    """As after a worker's death, some seconds later."""
    ImportJob.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))


def test_a_worker_that_lost_its_lease_stores_nothing_more(tenant: Tenant, books: Books) -> None:
    """Frozen past its lease, then awake again: another has taken the import over meanwhile."""
    job = queue(tenant, ndjson(event(n, source="x" * 900) for n in range(2_000)))
    frozen = claim(only=job.pk)
    assert frozen is not None
    job.refresh_from_db()
    with batches_of(job) as batches:
        sender = sending.Sender(job, frozen)
        sender.send(next(batches))
        sender.settle()
        expire(job)
        assert finish(job).state == "done"
        sender.send(next(batches))
        with pytest.raises(LeaseLost):
            sender.settle()
    assert values(books, tenant) == list(range(2_000))
    assert books.stored(tenant.id) == 2_000


def test_batches_behind_one_that_failed_store_nothing(tenant: Tenant, books: Books) -> None:
    job = queue(tenant, ndjson(event(n, source="x" * 900) for n in range(2_000)))
    lease = claim(only=job.pk)
    assert lease is not None
    job.refresh_from_db()
    with batches_of(job) as batches:
        next(batches)
        sender = sending.Sender(job, lease)
        sender.send(next(batches))
        with pytest.raises(LeaseLost):
            sender.settle()
    assert books.stored(tenant.id) == 0


def test_one_import_is_claimed_by_one_of_many(tenant: Tenant, books: Books) -> None:
    job = queue(tenant, ndjson([event(1)]))
    claimed: list[object] = []

    def try_it() -> None:
        try:
            claimed.append(claim(only=job.pk))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=try_it) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len([lease for lease in claimed if lease is not None]) == 1
    assert len(claimed) == 6


def test_only_so_many_are_under_way_at_once(tenant: Tenant, settings: Settings) -> None:
    settings.IMPORT_AT_ONCE = 1
    first, second = queue(tenant, ndjson([event(1)])), queue(tenant, ndjson([event(2)]))
    assert claim(only=first.pk) is not None
    assert claim() is None
    expire(first)
    settings.IMPORT_AT_ONCE = 2
    assert claim(only=second.pk) is not None
    assert claim(only=first.pk) is not None


def test_a_file_that_kills_workers_is_given_up(tenant: Tenant) -> None:
    job = queue(tenant, ndjson([event(1)]))
    for _ in range(5):
        assert claim(only=job.pk) is not None
        expire(job)
    job = finish(job)
    assert (job.state, job.error_code) == ("failed", "keeps_failing")


def test_cancelling_stops_a_worker_at_its_next_batch(tenant: Tenant, books: Books) -> None:
    job = queue(tenant, ndjson(event(n, source="x" * 900) for n in range(2_000)))
    run_import(seconds=0, only=job.pk)
    stored = books.stored(tenant.id)
    lease = claim(only=job.pk)
    assert lease is not None
    job.refresh_from_db()
    with batches_of(job) as batches:
        cancel_import(job=job)
        sender = sending.Sender(job, lease)
        sender.send(next(batches))
        with pytest.raises(LeaseLost):
            sender.settle()
    assert books.stored(tenant.id) == stored > 0
    assert list(folder().iterdir()) == []


def test_a_file_that_this_machine_lacks_says_what_to_share(tenant: Tenant) -> None:
    job = queue(tenant, ndjson([event(1)]))
    upload_path(job.pk).unlink()
    job = finish(job)
    assert job.error_code == "file_missing"
    assert "STREAMGAUGE_IMPORT_DIR" in job.error


def test_tidying_gives_up_forgets_and_removes(tenant: Tenant, tmp_path: Path) -> None:
    def ready() -> ImportJob:
        return create_import(
            received=receive([b"a,b\n1,2\n"]), project_id=tenant.id, created_by="t", name="a.csv", start=False
        )

    fresh, forgotten, old = ready(), ready(), ready()
    ImportJob.objects.filter(pk=forgotten.pk).update(created_at=timezone.now() - timedelta(days=2))
    ImportJob.objects.filter(pk=old.pk).update(state="done", finished_at=timezone.now() - timedelta(days=31))
    orphan = folder() / "00000000-0000-0000-0000-000000000000.part"
    orphan.write_bytes(b"x")
    for path in folder().iterdir():
        os.utime(path, (0, 0))
    tidy_imports()
    forgotten.refresh_from_db()
    assert (forgotten.state, forgotten.error_code) == ("cancelled", "not_started")
    assert not ImportJob.objects.filter(pk=old.pk).exists()
    assert list(folder().iterdir()) == [upload_path(fresh.pk)]


def test_deleting_forgets_the_refused_rows_and_keeps_the_events(tenant: Tenant, books: Books) -> None:
    job = finish(queue(tenant, ndjson([event(1)]) + b"nothing\n"))
    assert refusals(job)
    delete_import(job=job)
    assert refusals(job) == []
    assert books.stored(tenant.id) == 1


def test_a_file_over_the_limit_or_past_the_disk_is_refused_and_removed(
    books: Books, settings: Settings
) -> None:
    settings.IMPORT_MAX_BYTES = 10
    for pieces, announced in (([b"x" * 6, b"x" * 6], None), ([b"x"], 11)):
        with pytest.raises(Exception, match="more than 10 bytes"):
            receive(pieces, announced=announced)
    settings.IMPORT_MAX_BYTES, settings.IMPORT_FREE_BYTES = 10**9, 2**60
    with pytest.raises(Exception, match="no room"):
        receive([b"x"])
    assert list(folder().iterdir()) == []
