SELECT pipeline_id, version_id, group_key, window_start, window_end, revision, final, partial,
       count, sum, min, max, computed_at
FROM window_result AS result
WHERE project_id = %(project)s AND NOT EXISTS (
    SELECT FROM window_result AS later
    WHERE later.version_id = result.version_id AND later.window_end = result.window_end
      AND later.group_key = result.group_key AND later.window_start = result.window_start
      AND later.revision > result.revision
)
ORDER BY window_end DESC, pipeline_id, group_key
LIMIT %(limit)s
