-- What was dropped in a day and in its last quarter of an hour, by reason and key, most first.
SELECT reason, key_id,
       COALESCE(sum(events) FILTER (WHERE minute >= statement_timestamp() - %(recent)s), 0)::bigint,
       COALESCE(sum(requests) FILTER (WHERE minute >= statement_timestamp() - %(recent)s), 0)::bigint,
       sum(events)::bigint, sum(requests)::bigint
FROM ingest_drop
WHERE project_id = %(project_id)s AND minute >= statement_timestamp() - %(window)s
GROUP BY reason, key_id
ORDER BY sum(events) DESC, sum(requests) DESC, reason, key_id
LIMIT %(limit)s
