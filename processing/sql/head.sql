-- The oldest segment of a held partition, left where it is.
SELECT id, partition, flush_id, ordinal, received_at, events, payload, (SELECT routing_version FROM ingest_epoch)
FROM event_segment WHERE partition = %(partition)s ORDER BY id LIMIT 1
