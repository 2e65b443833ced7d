-- In a later statement than take_grown: what was marked as grown is visible here.
SELECT group_key, window_start, window_end, partial FROM window_state
WHERE version_id = %(version)s AND window_end <= %(through)s
  AND window_end > coalesce(%(closed)s::timestamptz, '-infinity')
UNION ALL
SELECT state.group_key, state.window_start, state.window_end, state.partial
FROM unnest(%(groups)s::text[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
     AS grown (group_key, window_start, window_end)
JOIN window_state AS state USING (group_key, window_start, window_end)
WHERE state.version_id = %(version)s AND state.window_end <= coalesce(%(closed)s::timestamptz, '-infinity')
