-- As senders write events, without what is not there.
SELECT (jsonb_strip_nulls(jsonb_build_object(
           'type', e.type, 'id', e.event_id, 'source', NULLIF(e.source, ''), 'subject', NULLIF(e.subject, ''),
           'key', NULLIF(e.partition_key, ''), 'time', e.time, 'value', e.value
       )) || CASE WHEN e.data IS NULL THEN '{}' ELSE jsonb_build_object('data', e.data) END)::text AS event
FROM (
    SELECT time, uid, received_at FROM event_tail WHERE project_id = %(project_id)s
    ORDER BY received_at DESC, time DESC, uid DESC LIMIT %(last)s
) AS newest
JOIN event e ON e.project_id = %(project_id)s AND e.time = newest.time AND e.uid = newest.uid
ORDER BY newest.received_at DESC, newest.time DESC, newest.uid DESC
