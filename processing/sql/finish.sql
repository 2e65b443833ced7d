-- Success: forget the attempts. One segment at a time goes on until the segments that were there at the failure are gone.
UPDATE partition_progress AS progress SET
    attempts = 0,
    stage = CASE WHEN more.waits THEN 1 ELSE 0 END,
    isolate_through = CASE WHEN more.waits THEN progress.isolate_through END,
    head_segment = NULL, head_version = NULL, head_done = '{}',
    drained_at = clock_timestamp()
FROM (
    SELECT held.partition, held.isolate_through IS NOT NULL AND EXISTS (
        SELECT FROM event_segment AS segment
        WHERE segment.partition = held.partition AND segment.id <= held.isolate_through
    ) AS waits
    FROM partition_progress AS held WHERE held.partition = ANY(%(partitions)s)
) AS more
WHERE progress.partition = more.partition
