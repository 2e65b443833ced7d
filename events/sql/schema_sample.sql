SELECT uid, COALESCE(event_id, uid::text), time, data::text
FROM event
WHERE project_id = %(project_id)s AND type = %(type)s
ORDER BY time DESC, uid DESC
LIMIT %(last)s
