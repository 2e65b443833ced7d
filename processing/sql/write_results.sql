INSERT INTO window_result (project_id, pipeline_id, version_id, group_key, window_start, window_end, revision,
                           final, partial, count, sum, min, max, computed_at)
SELECT %(project)s, %(pipeline)s, %(version)s, group_key, window_start, window_end, revision,
       false, window_start < %(effective_from)s OR window_end > coalesce(%(effective_until)s::timestamptz, 'infinity'),
       "count", "sum", "min", "max", clock_timestamp()
FROM unnest(%(groups)s::text[], %(starts)s::timestamptz[], %(ends)s::timestamptz[], %(revisions)s::integer[],
            %(counts)s::bigint[], %(sums)s::float8[], %(mins)s::float8[], %(maxes)s::float8[])
     AS result (group_key, window_start, window_end, revision, "count", "sum", "min", "max")
