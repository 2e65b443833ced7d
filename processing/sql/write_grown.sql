INSERT INTO window_grown (version_id, group_key, window_start, window_end)
SELECT * FROM unnest(%(versions)b::bigint[], %(groups)b::text[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
