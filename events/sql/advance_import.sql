-- In the flush that stores the batch: progress and events commit together, for the holder of the lease alone.
UPDATE import_job
SET position = %(end)s, line = %(line)s, accepted = accepted + %(accepted)s, duplicates = duplicates + %(duplicates)s,
    rejected = rejected + %(rejected)s, attempts = 0, touched_at = clock_timestamp(),
    lease_until = clock_timestamp() + %(lease_for)s
WHERE id = %(id)s AND lease = %(lease)s AND state = 'running' AND position = %(start)s
