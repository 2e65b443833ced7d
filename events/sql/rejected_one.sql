SELECT id, received_at, type, code, pointer, message, state, attempts, request_id, key_id, position, uid, changed_at,
       raw, corrected
FROM rejected_event
WHERE project_id = %(project_id)s AND id = %(id)s
