INSERT INTO event_segment (partition, flush_id, ordinal, received_at, events, payload)
SELECT partition, %(flush)s, ordinal, %(received_at)s, events, payload
FROM unnest(%(partitions)s::smallint[], %(ordinals)s::smallint[], %(events)s::integer[], %(payloads)s::bytea[])
    AS packed (partition, ordinal, events, payload)
