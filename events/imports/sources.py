"""One import's file, whichever format: how far it goes, and its batches."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from events.imports.csv_reading import read_csv
from events.imports.errors import ImportFailed
from events.imports.files import plain_path, upload_path
from events.imports.mapping import parse_mapping
from events.imports.models import ImportJob
from events.imports.parquet_reading import count_rows, read_parquet
from events.imports.reading import Batch, Cursor, read_ndjson


def source_path(job: ImportJob) -> Path:
    """The file to read: unpacked, where it came compressed. Raises ImportFailed when this machine has it not."""
    path = plain_path(job.id) if job.encoding else upload_path(job.id)
    if not path.exists():
        raise ImportFailed(
            "file_missing",
            f"{path.name} is not here. Web and worker processes must share one STREAMGAUGE_IMPORT_DIR.",
        )
    return path


def measure(job: ImportJob) -> int:
    """Where its last batch ends: in bytes, or rows of a Parquet file. Raises ImportFailed."""
    path = source_path(job)
    return count_rows(path) if job.format == "parquet" else path.stat().st_size


@contextmanager
def batches_of(job: ImportJob) -> Iterator[Iterator[Batch]]:
    """Its batches from `job.position` on. They raise ImportFailed."""
    path, start = source_path(job), Cursor(job.position, job.line)
    if job.format == "parquet":
        yield read_parquet(path, parse_mapping(job.mapping), start)
        return
    with path.open("rb") as file:
        if job.format == "csv":
            yield read_csv(file, parse_mapping(job.mapping), start)
        else:
            yield read_ndjson(file, start)
