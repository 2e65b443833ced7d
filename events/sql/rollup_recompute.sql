-- The outer bounds on time repeat what the buckets say, as constants, so that the planner drops the other chunks.
INSERT INTO rollup_1m (project_id, bucket, type, source, events, "values", sum, min, max, sum_squares)
SELECT dirty.project_id, dirty.bucket, counted.*
FROM unnest(%(projects)s::integer[], %(buckets)s::timestamptz[]) AS dirty (project_id, bucket)
CROSS JOIN LATERAL (
    SELECT type, source, count(*), count(value), sum(rollup_term(value)), min(value), max(value),
           sum(rollup_square(value))
    FROM event AS e
    WHERE e.project_id = dirty.project_id
      AND e.time >= dirty.bucket AND e.time < dirty.bucket + INTERVAL '1 minute'
      AND e.time >= %(start)s AND e.time < %(end)s
    GROUP BY type, source
) AS counted
