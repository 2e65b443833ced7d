INSERT INTO window_state (version_id, partition, group_key, window_start, window_end, partial)
SELECT * FROM unnest(%(versions)b::bigint[], %(partitions)b::smallint[], %(groups)b::text[],
                     %(starts)s::timestamptz[], %(ends)s::timestamptz[], %(partials)b::bytea[])
ON CONFLICT (version_id, partition, group_key, window_start) DO UPDATE SET partial = excluded.partial
