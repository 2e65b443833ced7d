-- One statement, so one snapshot: raw events for the buckets with a ledger row, the rollup for all others, never both.
WITH RECURSIVE dirty AS MATERIALIZED (
    (
        SELECT bucket FROM rollup_ledger
        WHERE project_id = %(project_id)s AND bucket >= %(start)s AND bucket < %(end)s
        ORDER BY bucket LIMIT 1
    )
    UNION ALL
    SELECT later.bucket
    FROM dirty CROSS JOIN LATERAL (
        SELECT l.bucket FROM rollup_ledger l
        WHERE l.project_id = %(project_id)s AND l.bucket > dirty.bucket AND l.bucket < %(end)s
        ORDER BY l.bucket LIMIT 1
    ) AS later
),
minute AS (
    SELECT r.bucket, r.type, r.source, r.events, r."values", r.sum, r.min, r.max, r.sum_squares
    FROM rollup_1m r
    WHERE r.project_id = %(project_id)s AND r.bucket >= %(start)s AND r.bucket < %(end)s
      AND (%(types)s::text[] IS NULL OR r.type = ANY(%(types)s))
      AND (%(sources)s::text[] IS NULL OR r.source = ANY(%(sources)s))
      AND r.bucket NOT IN (SELECT bucket FROM dirty)
    UNION ALL
    SELECT dirty.bucket, counted.*
    FROM dirty CROSS JOIN LATERAL (
        SELECT e.type, e.source, count(*), count(e.value), sum(rollup_term(e.value)), min(e.value), max(e.value),
               sum(rollup_square(e.value))
        FROM event e
        WHERE e.project_id = %(project_id)s
          AND e.time >= dirty.bucket AND e.time < dirty.bucket + INTERVAL '1 minute'
          AND e.time >= %(start)s AND e.time < %(end)s
          AND (%(types)s::text[] IS NULL OR e.type = ANY(%(types)s))
          AND (%(sources)s::text[] IS NULL OR e.source = ANY(%(sources)s))
        GROUP BY e.type, e.source
    ) AS counted
)
SELECT time_bucket(%(interval)s, bucket) AS bucket, type, source, sum(events)::bigint, sum("values")::bigint,
       sum(sum), min(min), max(max), sum(sum_squares)
FROM minute
GROUP BY 1, type, source
ORDER BY 1, type, source
