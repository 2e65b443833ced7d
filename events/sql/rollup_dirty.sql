-- The next dirty buckets after a place, each once. A ledger holds a row a flush: stepping from bucket to bucket over
-- the index reads one entry of each instead of all.
WITH RECURSIVE dirty AS (
    (
        SELECT project_id, bucket FROM rollup_ledger
        WHERE (project_id, bucket) > (%(project_id)s, %(bucket)s::timestamptz)
        ORDER BY project_id, bucket LIMIT 1
    )
    UNION ALL
    SELECT later.project_id, later.bucket
    FROM dirty CROSS JOIN LATERAL (
        SELECT l.project_id, l.bucket FROM rollup_ledger l
        WHERE (l.project_id, l.bucket) > (dirty.project_id, dirty.bucket)
        ORDER BY l.project_id, l.bucket LIMIT 1
    ) AS later
)
SELECT project_id, bucket FROM dirty
WHERE bucket <= statement_timestamp() - INTERVAL '1 minute' - %(settle)s
LIMIT %(limit)s
