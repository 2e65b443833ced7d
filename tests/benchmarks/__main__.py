"""`python -m tests.benchmarks [NAME…] [--seconds S] [--json PATH]`: a table for people, JSON for programs."""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from config import env
from tests.benchmarks.bench import Bench
from tests.benchmarks.figures import Figure, render_detail
from tests.benchmarks.flow import end_to_end, memory, processing_latency
from tests.benchmarks.importing import import_ndjson
from tests.benchmarks.ingest import (
    ingest_http_batch,
    ingest_http_batch_ids,
    ingest_http_single,
    ingest_latency_10k,
    ingest_websocket,
)
from tests.benchmarks.machine import describe_machine
from tests.support.databases import scratch_database
from tests.support.servers import own_redis
from tests.support.stack import running_stack

BENCHMARKS: dict[str, Callable[[Bench], list[Figure]]] = {
    "ingest_http_batch": ingest_http_batch,
    "ingest_http_batch_ids": ingest_http_batch_ids,
    "ingest_http_single": ingest_http_single,
    "ingest_websocket": ingest_websocket,
    "ingest_latency_10k": ingest_latency_10k,
    "import_ndjson": import_ndjson,
    "end_to_end": end_to_end,
    "processing_latency": processing_latency,
    "memory": memory,
}


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    if unknown := [name for name in options.names if name not in BENCHMARKS]:
        sys.stderr.write(f"Unknown: {', '.join(unknown)}. Choose from {', '.join(BENCHMARKS)}.\n")
        return 2
    console = Console(width=None if sys.stdout.isatty() else 160)
    figures: list[Figure] = []
    with (
        tempfile.TemporaryDirectory(prefix="streamgauge-bench-") as name,
        own_redis(Path(name) / "redis") as redis,
        scratch_database("bench") as database,
        running_stack(database, Path(name), redis_url=redis.url) as stack,
    ):
        with database.connect() as connection:
            machine = describe_machine(connection)
        bench = Bench(stack, options.seconds, lambda line: console.print(f"  {line}", style="dim"))
        for benchmark in options.names or BENCHMARKS:
            console.print(benchmark)
            figures += BENCHMARKS[benchmark](bench)
    _print(console, figures, machine)
    _write(options.json, figures)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of: {', '.join(BENCHMARKS)} (all)")
    parser.add_argument("--seconds", type=float, default=10.0, help="about how long each run loads (10)")
    parser.add_argument("--json", type=Path, default=env.LOCAL / "bench.json", help="file for programs")
    return parser


def _print(console: Console, figures: list[Figure], machine: dict[str, str]) -> None:
    table = Table(title="Figures", title_justify="left")
    for column in ("name", "value", "limit", "ratio"):
        table.add_column(column, justify="left" if column == "name" else "right", no_wrap=True)
    table.add_column("detail", overflow="fold")
    for each in figures:
        limit = "-" if each["limit"] is None else f"{each['limit']:,g}"
        ratio = "-" if each["ratio"] is None else f"{each['ratio']:.2f}"
        value = f"{each['value']:,g} {each['unit']}"
        table.add_row(each["name"], value, limit, ratio, render_detail(each["detail"]))
    console.print(table)
    for name, text in machine.items():
        console.print(f"[bold]{name}[/bold] {text}")


def _write(path: Path, figures: list[Figure]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(figures, indent=2) + "\n")
    sys.stderr.write(f"Wrote {path}\n")


if __name__ == "__main__":
    sys.exit(main())
