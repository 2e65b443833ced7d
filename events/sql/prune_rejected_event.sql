-- Each project has its own age. The projects that have rows are found by hopping through the index, so that those
-- which keep theirs for long do not have them read over and over; one that was deleted has the default.
WITH RECURSIVE present (project_id) AS (
    (SELECT project_id FROM rejected_event ORDER BY project_id LIMIT 1)
    UNION ALL
    SELECT (
        SELECT following.project_id FROM rejected_event AS following
        WHERE following.project_id > present.project_id ORDER BY following.project_id LIMIT 1
    )
    FROM present WHERE present.project_id IS NOT NULL
), old AS (
    DELETE FROM rejected_event WHERE ctid = ANY(ARRAY(
        SELECT oldest.ctid
        FROM present
        LEFT JOIN unnest(%(projects)s::integer[], %(ages)s::interval[]) AS own (project_id, age) USING (project_id)
        CROSS JOIN LATERAL (
            SELECT ctid FROM rejected_event AS refused
            WHERE refused.project_id = present.project_id
              AND refused.received_at < statement_timestamp() - COALESCE(own.age, %(age)s)
            ORDER BY refused.received_at LIMIT %(limit)s
        ) AS oldest
        LIMIT %(limit)s
    ))
    RETURNING 1
)
SELECT count(*) FROM old
