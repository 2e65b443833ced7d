SELECT id, received_at, key_id, state, COALESCE(corrected, raw), project_id
FROM rejected_event
WHERE state = 'replaying' AND changed_at < clock_timestamp() - %(stale)s
ORDER BY changed_at
LIMIT %(limit)s
