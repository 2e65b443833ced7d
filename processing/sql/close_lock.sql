-- The version row's lock: one closer at a time.
SELECT project_id, pipeline_id, definition, effective_from, effective_until, closed_through
FROM deployment WHERE version_id = %(version)s AND finished_at IS NULL
FOR UPDATE SKIP LOCKED
