"""How fast a worker reads a file, and how much memory that takes."""

import itertools
import json
from pathlib import Path
from typing import Final

import msgspec

from tests.benchmarks.bench import Bench
from tests.benchmarks.copying import measure_copy
from tests.benchmarks.figures import Figure, figure
from tests.benchmarks.payloads import EventPlan
from tests.benchmarks.payloads import events as generate_events
from tests.support.processes import MIB, Process, peak_memory_mib, run_manage
from tests.support.stack import Seeded
from tests.support.waiting import wait_for

# At the rate promised, what `--seconds` of reading take: 10 s are some 40 MB, 300 s are 1 GB.
EVENTS_A_SECOND: Final = 15_000
PIECE: Final = 10_000
PATIENCE: Final = 20
COPIED: Final = 500_000


def import_ndjson(bench: Bench) -> list[Figure]:
    """A file of events without ids, read by one worker from its claim to its last commit."""
    bench.clear()
    project = bench.seed()
    events = int(bench.seconds * EVENTS_A_SECOND)
    path = bench.stack.folder / "import.ndjson"
    size = _write_file(path, events)
    bench.say(f"{events:,} events in {size / MIB:,.0f} MiB")
    bench.stack.extra = {**bench.stack.extra, "STREAMGAUGE_IMPORT_DIR": str(bench.stack.folder / "imports")}
    worker, beat = bench.stack.start_worker(), bench.stack.start_beat()
    try:
        job = _queue(bench, project, path)
        wait_for(
            lambda: _state(bench, job) == "done", seconds=PATIENCE * bench.seconds + 60, what="the import"
        )
        peak = _worker_peak(worker)
    finally:
        beat.stop()
        worker.stop()
        path.unlink()
    seconds, accepted = bench.database.rows(
        "SELECT EXTRACT(epoch FROM finished_at - started_at)::float, accepted FROM import_job WHERE id = %s",
        (job,),
    )[0]
    if accepted != events:
        raise AssertionError(f"{accepted} of {events} rows were accepted")
    with bench.database.connect() as connection:
        copied = measure_copy(connection, project_id=project.project_id, rows=min(events, COPIED))
    return [
        figure(
            "import_ndjson", events / seconds, "events/s", limit=copied, detail={"MiB": round(size / MIB)}
        ),
        figure("import_ndjson_memory", peak, "MiB", detail={"of": "the largest worker process"}),
    ]


def _write_file(path: Path, events: int) -> int:
    encode = msgspec.json.Encoder().encode
    with path.open("wb") as file:
        rows = itertools.islice(generate_events(EventPlan(with_ids=False)), events)
        while piece := list(itertools.islice(rows, PIECE)):
            file.write(b"\n".join(map(encode, piece)) + b"\n")
    return path.stat().st_size


def _queue(bench: Bench, project: Seeded, path: Path) -> str:
    said = run_manage(
        bench.stack.environment("web"),
        "import_events",
        str(path),
        "--project",
        project.slug,
        "--json",
        timeout=600,
    )
    job: str = json.loads(said.splitlines()[-1])["id"]
    return job


def _state(bench: Bench, job: str) -> str:
    state: str = bench.database.value("SELECT state FROM import_job WHERE id = %s", (job,))
    return state


def _worker_peak(worker: Process) -> float:
    return max(peak_memory_mib(pid) for pid in (worker.pid, *worker.descendants()))
