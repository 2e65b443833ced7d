INSERT INTO ingest_latency AS known (second, process, counts)
VALUES (date_trunc('second', clock_timestamp()), %(process)s, %(latencies)s::integer[])
ON CONFLICT (second, process) DO UPDATE SET counts = (
    SELECT array_agg(old + new ORDER BY place)
    FROM unnest(known.counts, excluded.counts) WITH ORDINALITY AS both_counts (old, new, place)
)
