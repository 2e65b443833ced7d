-- SKIP LOCKED: a note of use never waits for someone who is editing the key.
WITH used AS (
    SELECT id, clock_timestamp() - make_interval(secs => age) AS at
    FROM unnest(%(ids)s::bigint[], %(ages)s::float8[]) AS given(id, age)
), due AS (
    SELECT key.id, used.at
    FROM accounts_apikey AS key JOIN used USING (id)
    WHERE key.last_used_at IS NULL OR key.last_used_at < used.at - make_interval(secs => %(interval)s)
    ORDER BY key.id
    FOR UPDATE OF key SKIP LOCKED
)
UPDATE accounts_apikey AS key SET last_used_at = due.at FROM due WHERE key.id = due.id
