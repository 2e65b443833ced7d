SELECT id, received_at, type, code, pointer, message, state, attempts, request_id, key_id, position, uid, changed_at
FROM rejected_event
WHERE {matching}
  AND (%(before)s::timestamptz IS NULL OR (received_at, id) < (%(before)s, %(before_id)s::uuid))
ORDER BY received_at DESC, id DESC
LIMIT %(limit)s
