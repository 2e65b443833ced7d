WITH version AS (
    SELECT version_id, project_id, effective_from, coalesce(effective_until, 'infinity') AS effective_until,
           CASE WHEN finished_at IS NULL THEN coalesce(closed_through, '-infinity') ELSE 'infinity' END AS closed_through
    FROM deployment WHERE version_id = %(version)s
), uncounted AS (
    SELECT uid, time FROM unnest(%(uids)s::uuid[], %(times)s::timestamptz[]) AS aside (uid, time)
    UNION
    SELECT uid, time FROM late_event WHERE version_id = %(version)s
), raw AS (
    SELECT event.type AS group_key, event.value,
           date_bin(%(size)s::interval, event.time, timestamptz '1970-01-01 00:00:00+00') AS window_start
    FROM event, version
    WHERE event.project_id = version.project_id AND event.time >= %(from)s AND event.time < %(to)s
      AND event.received_at > version.effective_from AND event.received_at <= version.effective_until
      AND event.type LIKE ANY (%(patterns)s::text[])
      AND NOT EXISTS (SELECT FROM uncounted WHERE uncounted.uid = event.uid AND uncounted.time = event.time)
), recounted AS (
    -- float8 to numeric keeps 15 digits only; by way of text it keeps all, and the sum is exact.
    SELECT group_key, window_start, window_start + %(size)s::interval AS window_end, count(*) AS events,
           sum(value::text::numeric) AS total, min(value) AS least, max(value) AS greatest,
           sum(abs(value)::text::numeric) AS magnitude
    FROM raw GROUP BY group_key, window_start
), stored AS (
    SELECT DISTINCT ON (window_end, group_key, window_start)
           group_key, window_start, window_end, count, sum, min, max
    FROM window_result
    WHERE version_id = %(version)s AND window_end > %(from)s AND window_end <= %(to)s
    ORDER BY window_end, group_key, window_start, revision DESC
)
SELECT group_key, window_start, window_end, stored.count, stored.sum, stored.min, stored.max,
       recounted.events, recounted.total, recounted.least, recounted.greatest, recounted.magnitude
FROM stored FULL JOIN recounted USING (group_key, window_start, window_end), version
WHERE window_start >= %(from)s AND window_end <= %(to)s AND window_end <= version.closed_through
  AND NOT EXISTS (
    SELECT FROM window_grown AS grown
    WHERE grown.version_id = version.version_id AND grown.window_end = stored.window_end
      AND grown.group_key = stored.group_key AND grown.window_start = stored.window_start
  ) AND NOT EXISTS (
    SELECT FROM window_grown AS grown
    WHERE grown.version_id = version.version_id AND grown.window_end = recounted.window_end
      AND grown.group_key = recounted.group_key AND grown.window_start = recounted.window_start
  )
ORDER BY window_start, group_key
