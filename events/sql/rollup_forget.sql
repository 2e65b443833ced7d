DELETE FROM rollup_ledger AS l
USING unnest(%(projects)s::integer[], %(buckets)s::timestamptz[]) AS dirty (project_id, bucket)
WHERE l.project_id = dirty.project_id AND l.bucket = dirty.bucket
RETURNING l.project_id
