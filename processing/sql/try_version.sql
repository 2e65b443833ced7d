-- Notes, before it is folded, which version of the head segment is tried.
UPDATE partition_progress SET
    attempts = CASE WHEN head_segment = %(segment)s AND head_version = %(version)s THEN attempts ELSE 1 END,
    head_done = CASE WHEN head_segment = %(segment)s THEN head_done ELSE '{}' END,
    head_segment = %(segment)s,
    head_version = %(version)s
WHERE partition = %(partition)s
RETURNING attempts
