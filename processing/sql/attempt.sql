-- Counts an attempt on partitions that have segments, longest untouched first. A partition that another worker has
-- begun is left to it until the lease ends: it is being drained, or its worker died. The locks of hold.sql decide
-- who may fold; the lease only keeps workers from getting in each other's way.
-- A partition that failed max_attempts times moves to the next stage: fewer things at once, as far as the segments
-- that a drain would have taken and no further, or a backlog would be worked off one segment at a time.
UPDATE partition_progress AS progress SET
    attempts = CASE WHEN progress.attempts >= %(max_attempts)s AND progress.stage < 2 THEN 1 ELSE progress.attempts + 1 END,
    stage = CASE WHEN progress.attempts >= %(max_attempts)s THEN least(progress.stage + 1, 2) ELSE progress.stage END,
    isolate_through = CASE
        WHEN progress.attempts >= %(max_attempts)s AND progress.stage = 0
        THEN (
            SELECT max(tried.id) FROM (
                SELECT segment.id FROM event_segment AS segment
                WHERE segment.partition = progress.partition ORDER BY segment.id LIMIT %(segments_each)s
            ) AS tried
        )
        ELSE progress.isolate_through
    END,
    worker = %(worker)s,
    attempted_at = clock_timestamp()
FROM (
    SELECT partition FROM partition_progress AS candidate
    WHERE partition = ANY(%(partitions)s)
      AND (attempts = 0 OR worker = %(worker)s OR attempted_at < clock_timestamp() - %(lease)s::interval)
      AND EXISTS (SELECT FROM event_segment AS segment WHERE segment.partition = candidate.partition)
    ORDER BY attempted_at NULLS FIRST, partition
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
) AS free
WHERE progress.partition = free.partition
RETURNING progress.partition, progress.attempts, progress.stage
