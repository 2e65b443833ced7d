SELECT group_key, window_start, window_end, max(revision), max(result.count)
FROM unnest(%(groups)s::text[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
     AS grown (group_key, window_start, window_end)
JOIN window_result AS result USING (group_key, window_start, window_end)
WHERE result.version_id = %(version)s AND result.window_end BETWEEN %(first_end)s AND %(last_end)s
GROUP BY 1, 2, 3
