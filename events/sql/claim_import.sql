-- The import that was worked on longest ago, unless enough are under way already.
UPDATE import_job
SET state = 'running', lease = %(lease)s, lease_until = clock_timestamp() + %(lease_for)s, attempts = attempts + 1,
    started_at = COALESCE(started_at, clock_timestamp()), touched_at = clock_timestamp()
WHERE id = (
    SELECT id
    FROM import_job
    WHERE state IN ('queued', 'running')
      AND (lease_until IS NULL OR lease_until < clock_timestamp())
      AND (%(only)s::uuid IS NULL OR id = %(only)s)
      AND (SELECT count(*) FROM import_job WHERE state = 'running' AND lease_until >= clock_timestamp()) < %(at_once)s
    ORDER BY touched_at
    LIMIT 1
    FOR UPDATE SKIP LOCKED
)
RETURNING id
