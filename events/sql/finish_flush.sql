-- What every flush writes beside its events: dirty minutes, counts by second, counts by key and day, a sample for the live page, and
-- which of its events were duplicates or refused.
WITH ledger AS (
    INSERT INTO rollup_ledger (project_id, bucket)
    SELECT * FROM unnest(%(ledger_projects)s::integer[], %(ledger_buckets)s::timestamptz[])
),
counted AS (
    INSERT INTO ingest_count AS known (project_id, second, type, process, accepted, duplicate, rejected)
    SELECT project_id, date_trunc('second', %(received_at)s::timestamptz), type, %(process)s::uuid,
           accepted, duplicate, rejected
    FROM unnest(%(count_projects)s::integer[], %(count_types)s::text[], %(accepted)s::bigint[],
                %(duplicate)s::bigint[], %(rejected)s::bigint[])
        AS counted (project_id, type, accepted, duplicate, rejected)
    ON CONFLICT (project_id, second, type, process) DO UPDATE SET
        accepted = known.accepted + excluded.accepted,
        duplicate = known.duplicate + excluded.duplicate,
        rejected = known.rejected + excluded.rejected
),
used AS (
    INSERT INTO ingest_usage AS known (project_id, day, key_id, process, events)
    SELECT project_id, (%(received_at)s::timestamptz AT TIME ZONE 'UTC')::date, key_id, %(process)s::uuid, events
    FROM unnest(%(usage_projects)s::integer[], %(usage_keys)s::bigint[], %(usage_events)s::bigint[])
        AS stored (project_id, key_id, events)
    ON CONFLICT (project_id, day, key_id, process) DO UPDATE SET events = known.events + excluded.events
),
tail AS (
    INSERT INTO event_tail (project_id, received_at, time, uid)
    SELECT project_id, %(received_at)s, time, uid
    FROM unnest(%(tail_projects)s::integer[], %(tail_times)s::timestamptz[], %(tail_uids)s::uuid[])
        AS sampled (project_id, time, uid)
)
UPDATE ingest_flush SET duplicates = %(duplicates)s::bytea, refused = %(refused)s::bytea
WHERE id = %(flush)s AND (%(duplicates)s::bytea IS NOT NULL OR %(refused)s::bytea IS NOT NULL)
