"""The first rows of a file and what would become of them, without storing any."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from typing import Any, Final

from events.errors import InvalidEvent
from events.imports.csv_reading import Records, read_columns, read_csv
from events.imports.errors import ImportFailed
from events.imports.expanding import read_head
from events.imports.files import upload_path
from events.imports.identity import import_identity
from events.imports.mapping import Mapping, parse_mapping
from events.imports.models import ImportJob
from events.imports.parquet_reading import open_parquet, parquet_columns, read_parquet, read_rows
from events.imports.reading import Batch, Cursor, Refusal, read_ndjson
from events.imports.suggesting import suggest_delimiter, suggest_mapping
from events.requests import IngestOptions
from events.services import fetch_policy, ingest_events
from events.submissions import Rejection, Verdicts

ROWS: Final = 20
HEAD_BYTES: Final = 2 * 1024 * 1024
SHOWN_BYTES: Final = 2_000
_DRY: Final = IngestOptions("ndjson", "", "store", True)


@dataclass(frozen=True, slots=True)
class PreviewRow:
    """One row: the event it makes (JSON text, or None), or why it makes none."""

    line: int
    raw: str
    event: str | None
    error: InvalidEvent | None


@dataclass(frozen=True, slots=True)
class Preview:
    """`columns` and `mapping` are None where a format has neither."""

    columns: list[str] | None
    mapping: Mapping | None
    suggested: bool
    rows: list[PreviewRow]


def preview_import(job: ImportJob, *, mapping: Mapping | None = None) -> Preview:
    """The first ROWS rows with their verdicts, by `mapping`, else the import's own, else a suggested one.

    Duplicates and what only the database would refuse are not found out. Raises ImportFailed.
    """
    own = parse_mapping(job.mapping) if mapping is None and job.mapping else mapping
    if job.format == "parquet":
        columns, used, batch = _parquet(job, own)
    elif job.format == "csv":
        columns, used, batch = _csv(job, own)
    else:
        columns, used, batch = None, None, next(read_ndjson(_head(job), Cursor()), None)
    rows = _judge(job, batch) if batch else []
    return Preview(columns, used, used is not None and own is None, rows)


def _head(job: ImportJob) -> BytesIO:
    """The beginning of the file, up to a line's end where it is cut off."""
    path = upload_path(job.id)
    if not path.exists():
        raise ImportFailed(
            "file_removed", "The file is gone: it was read, or waited too long. Upload it again."
        )
    head = read_head(path, job.encoding, HEAD_BYTES)
    if len(head) == HEAD_BYTES:
        head = head[: head.rfind(b"\n") + 1] or head
    return BytesIO(head)


def _csv(job: ImportJob, mapping: Mapping | None) -> tuple[list[str], Mapping, Batch | None]:
    head = _head(job)
    mapping = mapping or _suggest_for_csv(job, head)
    columns, _ = read_columns(head, mapping)
    return columns, mapping, next(read_csv(head, mapping, Cursor()), None)


def _suggest_for_csv(job: ImportJob, head: BytesIO) -> Mapping:
    delimiter = suggest_delimiter(head.getvalue().split(b"\n", 1)[0].decode("utf-8", "replace"))
    plain = Mapping(fields={}, delimiter=delimiter)
    columns, rows = read_columns(head, plain)
    records = Records(head, rows, delimiter)
    return suggest_mapping(columns, _sample(records), name=job.name, delimiter=delimiter)


def _sample(records: Records) -> list[list[str]]:
    sample: list[list[str]] = []
    for _ in range(ROWS):
        try:
            row = records.next()
        except InvalidEvent:
            continue
        if row is None:
            break
        sample.append(row)
    return sample


def _parquet(job: ImportJob, mapping: Mapping | None) -> tuple[list[str], Mapping, Batch | None]:
    path = upload_path(job.id)
    if not path.exists():
        raise ImportFailed(
            "file_removed", "The file is gone: it was read, or waited too long. Upload it again."
        )
    with open_parquet(path) as file:
        columns = parquet_columns(file)
        if mapping is None:
            rows: Sequence[Any] = next(read_rows(file, columns, 0), [])[:ROWS]
            mapping = suggest_mapping(columns, rows, name=job.name)
    return columns, mapping, next(read_parquet(path, mapping, Cursor()), None)


def _judge(job: ImportJob, batch: Batch) -> list[PreviewRow]:
    """By the decoder and the project's policy, as the import itself will be."""
    texts = [text for text in islice(batch.body.split(b"\n"), 10 * ROWS) if text and not text.isspace()][
        :ROWS
    ]
    refused = _refusals(job, texts) if texts else {}
    rows = [_row(refusal) for refusal in batch.refusals[:ROWS]]
    for place, text in enumerate(texts):
        line, raw = batch.origin(place)
        error = refused[place].error if place in refused else None
        rows.append(PreviewRow(line, _shown(text if raw is None else raw), _shown(text), error))
    return sorted(rows, key=lambda row: row.line)[:ROWS]


def _refusals(job: ImportJob, texts: list[bytes]) -> dict[int, Rejection]:
    answers: list[Any] = []
    identity = import_identity(project_id=job.project_id, key_id=job.key_id)
    ingest_events(
        identity=identity,
        body=b"\n".join(texts),
        options=_DRY,
        policy=fetch_policy(identity),
        request_id=f"import-{job.id}",
        arrived=time.monotonic(),
        deliver=answers.append,
    )
    verdicts: Verdicts = answers[0]
    return {rejection.position: rejection for rejection in verdicts.rejections}


def _row(refusal: Refusal) -> PreviewRow:
    return PreviewRow(refusal.line, _shown(refusal.raw), None, refusal.error)


def _shown(text: bytes) -> str:
    return text[:SHOWN_BYTES].decode("utf-8", "replace").rstrip("\r\n")
