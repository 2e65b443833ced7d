-- Keys that are new in this generation and the one before. Sorted by the caller, so that two flushes with the same
-- keys in different order do not deadlock.
WITH fresh AS (
    INSERT INTO event_identity (generation, key, time)
    SELECT %(generation)s, sent.key, sent.time
    FROM unnest(%(keys)s::uuid[], %(times)s::timestamptz[]) AS sent (key, time)
    WHERE NOT EXISTS (
        SELECT FROM event_identity earlier
        WHERE earlier.generation = %(generation)s - 1 AND earlier.key = sent.key
    )
    ON CONFLICT DO NOTHING
    RETURNING key
)
SELECT count(*), CASE WHEN count(*) < %(sent)s THEN string_agg(uuid_send(key), ''::bytea) END FROM fresh
