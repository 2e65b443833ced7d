-- Events stored today by project and key, and in each row how many seconds are left of the day: one row without a
-- project when nothing was stored.
WITH clock AS (SELECT statement_timestamp() AT TIME ZONE 'UTC' AS now)
SELECT project_id, key_id, sum(events)::bigint,
       extract(epoch FROM date_trunc('day', now) + INTERVAL '1 day' - now)::float8 AS seconds_left
FROM clock LEFT JOIN ingest_usage ON project_id = ANY(%(projects)s) AND day = now::date
GROUP BY project_id, key_id, now
