"""`streamgauge import --server-side`: the file goes up, the server's workers import it; this follows them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import httpx

from streamgauge.cli.outcomes import NOT_DELIVERED, REFUSED, CommandFailed, Outcome
from streamgauge.cli.progress import progress
from streamgauge.cli.rows import Format
from streamgauge.cli.settings import Server

BLOCK = 256 * 1024
POLL_SECONDS = 1.0
SILENT_SECONDS = 120.0  # without an answer about the import
ENDED = frozenset({"done", "failed", "cancelled"})


def upload(server: Server, path: Path, *, file_format: Format | None) -> Outcome:
    """Raises CommandFailed. The import goes on at the server when this is interrupted."""
    headers = {"Authorization": f"Bearer {server.key}"}
    with httpx.Client(base_url=server.url, headers=headers, timeout=60.0) as client:
        job = _create(client, path, file_format)
        if job["state"] == "ready":
            raise CommandFailed(
                REFUSED,
                f"Import {job['id']} waits for a mapping of its columns: open it on the imports page.",
            )
        with progress(f"import {job['id']}", 100) as advance:
            job = _follow(client, job, advance)
    if job["state"] != "done":
        raise CommandFailed(NOT_DELIVERED, f"Import {job['id']} {job['state']}: {job.get('error', '')}")
    return Outcome(accepted=job["accepted"], duplicates=job["duplicates"], rejected=job["rejected"])


def _create(client: httpx.Client, path: Path, file_format: Format | None) -> dict[str, Any]:
    parameters = {"name": path.name, **({"format": file_format} if file_format else {})}
    headers = {"Content-Type": "application/octet-stream", "Content-Length": str(path.stat().st_size)}
    try:
        with path.open("rb") as file, progress(path.name, path.stat().st_size) as advance:
            content = _blocks(file, advance)
            answer = client.post("/api/v1/imports", params=parameters, headers=headers, content=content)
    except httpx.RequestError as error:
        raise CommandFailed(NOT_DELIVERED, f"The upload was cut off ({error!r}): run it again.") from error
    return _document(answer)


def _blocks(file: BinaryIO, advance: Callable[[int], None]) -> Iterator[bytes]:
    while block := file.read(BLOCK):
        yield block
        advance(file.tell())


def _follow(client: httpx.Client, job: dict[str, Any], advance: Callable[[int], None]) -> dict[str, Any]:
    heard = time.monotonic()
    while job["state"] not in ENDED:
        time.sleep(POLL_SECONDS)
        try:
            answer = client.get(f"/api/v1/imports/{job['id']}")
        except httpx.RequestError:
            answer = None
        if answer is not None and answer.status_code < 500:
            job, heard = _document(answer), time.monotonic()
            advance(int((job.get("progress") or 0) * 100))
        elif time.monotonic() - heard > SILENT_SECONDS:
            raise CommandFailed(
                NOT_DELIVERED,
                f"No word of import {job['id']} for {SILENT_SECONDS:.0f} s; it goes on at the server.",
            )
    return job


def _document(answer: httpx.Response) -> dict[str, Any]:
    if answer.status_code == 404:
        raise CommandFailed(
            REFUSED,
            "There is no /api/v1/imports: give --url of the web process, or leave out --server-side.",
        )
    if answer.status_code >= 400:
        raise CommandFailed(REFUSED, f"The server answered {answer.status_code}: {answer.text[:300]}")
    document: dict[str, Any] = answer.json()
    return document
