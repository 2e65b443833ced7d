SELECT uid, COALESCE(event_id, uid::text), time, data::text
FROM event
WHERE project_id = %(project_id)s AND type = %(type)s
  -- Decided first: a type that never arrived is not looked for through all events.
  AND EXISTS (SELECT FROM ingest_count c WHERE c.project_id = %(project_id)s AND c.type = %(type)s AND c.accepted > 0)
ORDER BY time DESC, uid DESC
LIMIT %(last)s
