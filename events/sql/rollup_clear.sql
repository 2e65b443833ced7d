DELETE FROM rollup_1m AS r
USING unnest(%(projects)s::integer[], %(buckets)s::timestamptz[]) AS dirty (project_id, bucket)
WHERE r.project_id = dirty.project_id AND r.bucket = dirty.bucket
  AND r.bucket >= %(start)s AND r.bucket < %(end)s
