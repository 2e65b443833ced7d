-- Locks partitions for this transaction; those that another worker holds are left out.
SELECT partition, head_segment, head_done FROM partition_progress
WHERE partition = ANY(%(partitions)s)
ORDER BY partition
FOR UPDATE SKIP LOCKED
