-- Where to stop when more than a batch of partial windows is due.
SELECT window_end FROM window_state
WHERE version_id = %(version)s AND window_end > coalesce(%(closed)s::timestamptz, '-infinity') AND window_end <= %(watermark)s
ORDER BY window_end OFFSET %(limit)s LIMIT 1
