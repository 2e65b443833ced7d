UPDATE window_result AS result SET final = true
FROM (
    SELECT last.group_key, last.window_start, last.window_end, max(last.revision) AS revision
    FROM unnest(%(groups)s::text[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
         AS gone (group_key, window_start, window_end)
    JOIN window_result AS last USING (group_key, window_start, window_end)
    WHERE last.version_id = %(version)s AND last.window_end BETWEEN %(first_end)s AND %(last_end)s
    GROUP BY 1, 2, 3
) AS newest
WHERE result.version_id = %(version)s AND result.window_end BETWEEN %(first_end)s AND %(last_end)s
  AND result.group_key = newest.group_key AND result.window_start = newest.window_start
  AND result.window_end = newest.window_end AND result.revision = newest.revision
