SELECT wanted.place, state.partial
FROM unnest(%(versions)b::bigint[], %(partitions)b::smallint[], %(groups)b::text[], %(starts)s::timestamptz[])
     WITH ORDINALITY AS wanted (version_id, partition, group_key, window_start, place)
JOIN window_state AS state USING (version_id, partition, group_key, window_start)
