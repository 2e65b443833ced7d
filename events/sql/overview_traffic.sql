-- Seconds, types and totals of one window in one pass and one snapshot, so that they add up. The second under way
-- counts too: the live page's totals must not wait for it to end.
WITH span AS (
    SELECT date_trunc('second', statement_timestamp()) AS until
)
SELECT GROUPING(c.second, c.type) AS grouped, span.until, c.second, c.type,
       COALESCE(sum(c.accepted), 0)::bigint, COALESCE(sum(c.duplicate), 0)::bigint, COALESCE(sum(c.rejected), 0)::bigint
FROM span LEFT JOIN ingest_count c
    ON c.project_id = %(project_id)s AND c.second >= span.until - %(window)s AND c.second <= span.until
GROUP BY GROUPING SETS ((span.until), (span.until, c.second), (span.until, c.type))
ORDER BY c.second, c.type
