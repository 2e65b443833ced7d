-- The oldest that match, locked in the order in which replays lock theirs.
WITH locked AS (
    SELECT id FROM rejected_event
    WHERE id = ANY(ARRAY(
        SELECT id FROM rejected_event WHERE {matching} ORDER BY received_at, id LIMIT %(limit)s
    ))
    AND state = %(state)s
    ORDER BY id
    FOR UPDATE
)
UPDATE rejected_event AS row
SET state = %(to)s, changed_at = clock_timestamp(), bulk = %(own)s
FROM locked
WHERE row.id = locked.id AND row.state = %(state)s
