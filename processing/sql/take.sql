-- Deletes and returns the oldest segments of held partitions, and the routing version of the same snapshot: a
-- segment that is visible was received under a deploy that is visible.
WITH oldest AS (
    SELECT head.id FROM unnest(%(partitions)s::smallint[]) AS held (partition)
    CROSS JOIN LATERAL (
        SELECT id, sum(octet_length(payload)) OVER (ORDER BY id) - octet_length(payload) AS before
        FROM (
            SELECT id, payload FROM event_segment
            WHERE event_segment.partition = held.partition ORDER BY id LIMIT %(count)s
        ) AS few
    ) AS head
    WHERE head.before < %(bytes)s
), taken AS (
    DELETE FROM event_segment WHERE id IN (SELECT id FROM oldest)
    RETURNING id, partition, flush_id, ordinal, received_at, events, payload
)
SELECT taken.*, (SELECT routing_version FROM ingest_epoch) FROM taken ORDER BY id
