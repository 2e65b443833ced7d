SELECT progress.partition FROM partition_progress AS progress
WHERE progress.partition = ANY(%(partitions)s) AND EXISTS (
    SELECT FROM event_segment AS segment
    WHERE segment.partition = progress.partition
      AND segment.received_at <= clock_timestamp() - %(older_than)s::interval
)
