"""How long an event takes to a watcher's screen, and from its COMMIT into the windows."""

import msgspec

from tests.benchmarks.bench import Bench, Generator
from tests.benchmarks.figures import Detail, Figure, figure, first_seen, milliseconds, percentiles
from tests.benchmarks.generator import Samples, Spec
from tests.support.stack import Seeded
from tests.support.waiting import wait_for
from tests.support.watching import Watcher

END_TO_END = 2_000
END_TO_END_BATCH = 10
PROCESSING = 5_000
PROCESSING_BATCH = 50
CONNECTIONS = 16
DRAIN_SECONDS = 60

# Deferred triggers fire when COMMIT begins, so a row here says when a segment's flush, or its fold, did.
# Both miss the write of the log that follows, so their difference is COMMIT to COMMIT.
PROBE = """
CREATE UNLOGGED TABLE IF NOT EXISTS bench_commit (segment bigint, folded boolean, at timestamptz);
TRUNCATE bench_commit;
CREATE OR REPLACE FUNCTION bench_note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO bench_commit
    VALUES (CASE TG_OP WHEN 'INSERT' THEN NEW.id ELSE OLD.id END, TG_OP = 'DELETE', clock_timestamp());
    RETURN NULL;
END $$;
DROP TRIGGER IF EXISTS bench_note ON event_segment;
CREATE CONSTRAINT TRIGGER bench_note AFTER INSERT OR DELETE ON event_segment
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION bench_note();
"""
LATENCIES = """
SELECT extract(epoch FROM folded.at - stored.at) * 1000
FROM bench_commit stored JOIN bench_commit folded USING (segment)
WHERE NOT stored.folded AND folded.folded
"""


def end_to_end(bench: Bench) -> list[Figure]:
    """From when an event was due to the live frame whose count includes it."""
    bench.clear()
    project = bench.seed("*")
    requests = int(bench.seconds * END_TO_END / END_TO_END_BATCH)
    with bench.everything() as (ingest, web), Watcher(web.port, project) as watcher:
        spec = _open(ingest.port, project, requests, END_TO_END_BATCH, END_TO_END)
        _warm_up(bench, spec)
        wait_for(lambda: watcher.accepted == _warm_requests(spec) * spec.events_each, seconds=20,
                 what="the warm-up on the live page")  # fmt: skip
        base = watcher.accepted
        samples = _run(bench, spec)
        goal = base + samples.accepted
        wait_for(lambda: watcher.accepted >= goal, seconds=20, what=f"{goal} events on the live page")
    waits = first_seen(samples.due, [(at, count - base) for at, count in watcher.seen])
    shown = [wait * 1000 for wait in waits if wait is not None]
    assert len(shown) == requests, f"{requests - len(shown)} requests never showed"
    return [_figure("end_to_end", shown, samples, spec, {"frames": len(watcher.frames)})]


def processing_latency(bench: Bench) -> list[Figure]:
    """From a flush's COMMIT to the COMMIT that folded its segment; every partition's segment counts once."""
    bench.clear()
    project = bench.seed("*")
    requests = int(bench.seconds * PROCESSING / PROCESSING_BATCH)
    with bench.everything() as (ingest, _):
        spec = _open(ingest.port, project, requests, PROCESSING_BATCH, PROCESSING)
        _warm_up(bench, spec)
        _wait_until_drained(bench)
        _install_probe(bench)
        samples = _run(bench, spec)
        _wait_until_drained(bench)
        latencies = [float(row[0]) for row in bench.database.rows(LATENCIES)]
        bench.database.execute("DROP TRIGGER bench_note ON event_segment")
    extra: Detail = {"segments": len(latencies), "pipelines": 1, "worker_children": 2}
    return [_figure("processing_latency", latencies, samples, spec, extra)]


def memory(bench: Bench) -> list[Figure]:
    """Peak resident memory of each process over all runs before; one of each kind when there were none."""
    if "worker" not in bench.peaks:
        processing_latency(bench)
    figures = []
    for name in sorted(bench.peaks, key=lambda name: (name != "ingest", name)):
        entry = "memory" if name == "ingest" else f"memory {name}"
        figures.append(figure(entry, bench.peaks[name], "MiB", detail={"process": name}))
    return figures


def _open(port: int, project: Seeded, requests: int, batch: int, rate: int) -> Spec:
    return Spec("open", port, project.ingest_key, CONNECTIONS, requests, batch, with_ids=True, rate=rate)


def _warm_requests(spec: Spec) -> int:
    return max(1, spec.requests // 5)


def _warm_up(bench: Bench, spec: Spec) -> None:
    bench.say("warming up")
    warm = msgspec.structs.replace(spec, requests=_warm_requests(spec), seed=3)
    with Generator(warm) as generator:
        generator.go()
        generator.samples()


def _run(bench: Bench, spec: Spec) -> Samples:
    bench.say(f"{spec.requests * spec.events_each:,} events at {spec.rate:,.0f} events/s")
    with Generator(spec) as generator:
        generator.go()
        samples = generator.samples()
    assert samples.accepted == spec.requests * spec.events_each, samples.statuses
    return samples


def _install_probe(bench: Bench) -> None:
    with bench.database.connect() as connection:
        connection.execute(PROBE.encode())


def _wait_until_drained(bench: Bench) -> None:
    wait_for(
        lambda: bench.database.value("SELECT NOT EXISTS (SELECT FROM event_segment)"),
        seconds=DRAIN_SECONDS,
        what="the log to be folded",
    )


def _figure(name: str, latencies: list[float], samples: Samples, spec: Spec, extra: Detail) -> Figure:
    detail: Detail = {
        **milliseconds(latencies),
        "offered": round(spec.rate),
        "taken": round(samples.accepted / samples.seconds),
        "batch": spec.events_each,
        "ids": "UUIDv7",
        "pipeline": "one that wants all",
        **extra,
    }
    return figure(name, percentiles(latencies)["p95"], "ms p95", detail=detail)
