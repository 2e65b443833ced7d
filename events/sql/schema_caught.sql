WITH warned AS (
    SELECT type, sum(events)::bigint AS warnings, (array_agg(pointer ORDER BY minute DESC))[1] AS pointer,
           (array_agg(message ORDER BY minute DESC))[1] AS message, max(minute) AS minute
    FROM schema_warning
    WHERE project_id = %(project_id)s AND minute > %(since)s
    GROUP BY type
),
refused AS (
    SELECT type, count(*) AS refused
    FROM rejected_event
    WHERE project_id = %(project_id)s AND received_at > %(since)s AND code = 'schema_violation'
    GROUP BY type
)
SELECT type, COALESCE(warnings, 0), COALESCE(refused, 0), COALESCE(pointer, ''), COALESCE(message, ''), minute
FROM warned FULL JOIN refused USING (type)
