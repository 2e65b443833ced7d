-- Moves the watermarks of versions that are idle in partitions whose locks the caller holds and whose visible
-- segments it has folded: to the highest sibling, or to now - delay when every partition is idle. Only where a window
-- waits for it, so that an idle installation writes nothing.
WITH clock AS MATERIALIZED (
    SELECT clock_timestamp() - %(idle_after)s::interval AS idle_since, clock_timestamp() AS now
), backlog AS MATERIALIZED (
    SELECT EXISTS (
        SELECT FROM partition_progress AS progress
        CROSS JOIN LATERAL (
            SELECT received_at FROM event_segment AS segment
            WHERE segment.partition = progress.partition ORDER BY id LIMIT 1
        ) AS head
        WHERE head.received_at < clock.idle_since
    ) AS waits
    FROM clock
), reach AS (
    SELECT version.version_id, version.effective_from, version.allowed_lateness, version.closed_through,
        CASE
            WHEN bool_and(coalesce(sibling.event_at, version.effective_from) < clock.idle_since) AND NOT backlog.waits
            THEN greatest(max(sibling.watermark), clock.now - version.watermark_delay)
            ELSE max(sibling.watermark)
        END AS target
    FROM deployment AS version
    CROSS JOIN clock
    CROSS JOIN backlog
    LEFT JOIN watermark AS sibling ON sibling.version_id = version.version_id
    WHERE version.finished_at IS NULL
    GROUP BY version.version_id, clock.now, backlog.waits
), wanted AS (
    SELECT reach.version_id, reach.effective_from, reach.target FROM reach
    WHERE EXISTS (
        SELECT FROM window_state AS state
        WHERE state.version_id = reach.version_id AND state.window_end <= reach.target
          AND state.window_end > coalesce(reach.closed_through, '-infinity')
    ) OR EXISTS (
        SELECT FROM window_state AS state
        WHERE state.version_id = reach.version_id AND state.window_end <= reach.target - reach.allowed_lateness
    ) OR EXISTS (
        SELECT FROM window_grown AS grown
        WHERE grown.version_id = reach.version_id AND grown.window_end <= reach.target
    )
)
INSERT INTO watermark AS own (version_id, partition, watermark, event_at)
SELECT wanted.version_id, held.partition, wanted.target, wanted.effective_from
FROM wanted
CROSS JOIN clock
CROSS JOIN unnest(%(partitions)s::smallint[]) AS held (partition)
WHERE wanted.effective_from < clock.idle_since
ORDER BY 1, 2
ON CONFLICT (version_id, partition) DO UPDATE SET watermark = excluded.watermark
WHERE own.event_at < (SELECT idle_since FROM clock) AND (own.watermark IS NULL OR own.watermark < excluded.watermark)
