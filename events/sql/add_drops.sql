INSERT INTO ingest_drop AS known (project_id, minute, reason, key_id, events, requests)
SELECT project_id, date_trunc('minute', statement_timestamp()), reason, key_id, events, requests
FROM unnest(%(projects)s::integer[], %(reasons)s::text[], %(keys)s::bigint[], %(events)s::bigint[], %(requests)s::bigint[])
    AS counted (project_id, reason, key_id, events, requests)
-- The order in which rows are locked: two processes that write the same ones must not wait for each other.
ORDER BY project_id, reason, key_id
ON CONFLICT (project_id, minute, reason, key_id) DO UPDATE SET
    events = known.events + excluded.events,
    requests = known.requests + excluded.requests
