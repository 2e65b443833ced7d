UPDATE partition_progress SET attempts = 0, head_version = NULL, head_done = head_done || %(version)s::bigint
WHERE partition = %(partition)s
