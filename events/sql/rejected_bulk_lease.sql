UPDATE rejected_bulk SET leased_until = clock_timestamp() + %(lease)s
WHERE id = %(id)s AND finished_at IS NULL AND (leased_until IS NULL OR leased_until < clock_timestamp())
RETURNING id, project_id, action, selection, patch, reached
