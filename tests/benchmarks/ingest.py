"""What one ingest process takes in: by batch, by single events, and how long an answer takes."""

import msgspec

from tests.benchmarks.bench import Bench, bare_rate, generate
from tests.benchmarks.copying import measure_copy
from tests.benchmarks.figures import Detail, Figure, figure, milliseconds, percentiles
from tests.benchmarks.generator import Spec
from tests.support.stack import Seeded

BATCH = 500
# Expected rates, which only set how much is sent: `seconds` of each.
BATCH_EVENTS_A_SECOND = 50_000
BATCH_IDS_EVENTS_A_SECOND = 25_000
SINGLE_REQUESTS_A_SECOND = 2_000
SOCKET_FRAME = 100
SOCKET_EVENTS_A_SECOND = 40_000
SOCKETS = 4
OFFERED = 10_000
OFFERED_BATCH = 100
CONNECTIONS = 16
SINGLE_CONNECTIONS = 64  # a request holds its connection until COMMIT, and many requests share one


def ingest_http_batch(bench: Bench) -> list[Figure]:
    """Events without ids that no pipeline wants."""
    return [_batch(bench, "ingest_http_batch", with_ids=False)]


def ingest_http_batch_ids(bench: Bench) -> list[Figure]:
    """Events with UUIDv7 ids, and a pipeline that wants them all. No worker runs: the log only grows."""
    return [_batch(bench, "ingest_http_batch_ids", with_ids=True)]


def ingest_http_single(bench: Bench) -> list[Figure]:
    """One event a request, keep-alive."""
    bench.clear()
    project = bench.seed()
    requests = int(bench.seconds * SINGLE_REQUESTS_A_SECOND)
    with bench.ingest() as serving:
        spec = Spec("closed", serving.port, project.ingest_key, SINGLE_CONNECTIONS, requests, 1)
        bench.say("warming up")
        generate(_shorter(spec, requests // 10))
        bench.say(f"{requests:,} requests")
        samples = generate(spec)
    _require_stored(bench, project, samples.accepted + requests // 10)
    bench.say("the same requests to a bare app")
    limit = bare_rate(bench, spec)
    detail: Detail = {
        "ids": "none",
        "pipeline": "none",
        "connections": SINGLE_CONNECTIONS,
        **milliseconds(samples.latencies),
    }
    rate = requests / samples.seconds
    return [figure("ingest_http_single", rate, "requests/s", limit=limit, detail=detail)]


def ingest_latency_10k(bench: Bench) -> list[Figure]:
    """Answer times when 10,000 events a second arrive whatever the server does."""
    bench.clear()
    project = bench.seed()
    requests = int(bench.seconds * OFFERED / OFFERED_BATCH)
    with bench.ingest() as serving:
        spec = Spec(
            "open", serving.port, project.ingest_key, CONNECTIONS * 2, requests, OFFERED_BATCH, rate=OFFERED
        )
        bench.say("warming up")
        generate(_shorter(spec, max(1, requests // 10)))
        bench.say(f"{requests:,} requests at {OFFERED:,} events/s")
        samples = generate(spec)
    detail: Detail = {
        **milliseconds(samples.latencies),
        "batch": OFFERED_BATCH,
        "offered": OFFERED,
        "taken": round(samples.accepted / samples.seconds),
        "ids": "none",
        "pipeline": "none",
        "timed_from": "when each request was due",
    }
    return [figure("ingest_latency_10k", percentiles(samples.latencies)["p95"], "ms p95", detail=detail)]


def ingest_websocket(bench: Bench) -> list[Figure]:
    """100-event frames over a few sockets with what credit they have; events without ids that no pipeline wants."""
    bench.clear()
    project = bench.seed()
    requests = int(bench.seconds * SOCKET_EVENTS_A_SECOND / SOCKET_FRAME)
    rows = requests * SOCKET_FRAME
    before = _copy_rate(bench, project, rows)
    bench.clear()
    with bench.ingest() as serving:
        spec = Spec("sockets", serving.port, project.ingest_key, SOCKETS, requests, SOCKET_FRAME)
        bench.say("warming up")
        generate(_shorter(spec, max(4, requests // 10), seed=2))
        bench.clear()
        bench.say(f"{rows:,} events by sockets")
        samples = generate(spec)
    assert samples.accepted == rows, samples
    _require_stored(bench, project, rows)
    bench.clear()
    after = _copy_rate(bench, project, rows)
    detail: Detail = {
        "ids": "none",
        "pipeline": "none",
        "frame": SOCKET_FRAME,
        "sockets": SOCKETS,
        "frames_an_answer": round(requests / samples.statuses["answers"], 1),
        "bytes_each": round(samples.bytes_sent / rows),
        "copy_before": round(before),
        "copy_after": round(after),
        **milliseconds(samples.latencies),
    }
    limit = (before + after) / 2
    return [figure("ingest_websocket", rows / samples.seconds, "events/s", limit=limit, detail=detail)]


def _batch(bench: Bench, name: str, *, with_ids: bool) -> Figure:
    bench.clear()
    project = bench.seed("*" if with_ids else None)
    rate = BATCH_IDS_EVENTS_A_SECOND if with_ids else BATCH_EVENTS_A_SECOND
    requests = int(bench.seconds * rate / BATCH)
    rows = requests * BATCH
    before = _copy_rate(bench, project, rows)
    bench.clear()
    with bench.ingest() as serving:
        spec = Spec("closed", serving.port, project.ingest_key, CONNECTIONS, requests, BATCH, with_ids)
        bench.say("warming up")
        generate(_shorter(spec, max(4, requests // 10), seed=2))
        bench.clear()
        bench.say(f"{rows:,} events over HTTP")
        samples = generate(spec)
        identity = bench.database.value("SELECT count(*) FROM event_identity")
        logged = bench.database.value("SELECT coalesce(sum(events), 0)::bigint FROM event_segment")
    assert samples.accepted == rows, samples.statuses
    _require_stored(bench, project, rows)
    bench.clear()
    after = _copy_rate(bench, project, rows)
    bench.say("the generator's own limit, against a bare app")
    generator = bare_rate(bench, spec) * BATCH
    detail: Detail = {
        "ids": "UUIDv7" if with_ids else "none",
        "pipeline": "one that wants all" if with_ids else "none",
        "identity_rows": identity,
        "events_in_log": logged,
        "batch": BATCH,
        "bytes_each": round(samples.bytes_sent / rows),
        "copy_before": round(before),
        "copy_after": round(after),
        "generator_limit": round(generator),
        "connections": CONNECTIONS,
        **milliseconds(samples.latencies),
    }
    limit = (before + after) / 2
    return figure(name, rows / samples.seconds, "events/s", limit=limit, detail=detail)


def _copy_rate(bench: Bench, project: Seeded, rows: int) -> float:
    bench.say(f"COPY of {rows:,} rows")
    with bench.database.connect() as connection:
        rate = measure_copy(connection, project_id=project.project_id, rows=rows)
        connection.execute("TRUNCATE event_limit")
    return rate


def _shorter(spec: Spec, requests: int, seed: int = 3) -> Spec:
    return msgspec.structs.replace(spec, requests=requests, seed=seed)


def _require_stored(bench: Bench, project: Seeded, events: int) -> None:
    stored = bench.database.value("SELECT count(*) FROM event WHERE project_id = %s", (project.project_id,))
    assert stored == events, f"{events} were acknowledged and {stored} are stored"
