WITH reach AS (
    SELECT version_id, CASE WHEN count(watermark) = %(partitions)s THEN min(watermark) END AS watermark
    FROM watermark GROUP BY version_id
)
SELECT version.version_id FROM deployment AS version LEFT JOIN reach USING (version_id)
WHERE version.finished_at IS NULL AND (EXISTS (
    SELECT FROM window_state AS state
    WHERE state.version_id = version.version_id AND state.window_end <= reach.watermark
      AND state.window_end > coalesce(version.closed_through, '-infinity')
) OR EXISTS (
    SELECT FROM window_state AS state
    WHERE state.version_id = version.version_id
      AND state.window_end <= least(reach.watermark, version.closed_through) - version.allowed_lateness
) OR EXISTS (
    SELECT FROM window_grown AS grown
    WHERE grown.version_id = version.version_id AND grown.window_end <= reach.watermark
) OR (version.effective_until IS NOT NULL AND NOT EXISTS (
    SELECT FROM window_state AS state WHERE state.version_id = version.version_id
)))
ORDER BY version.version_id
