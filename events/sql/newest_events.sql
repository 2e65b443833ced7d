SELECT e.uid, COALESCE(e.event_id, e.uid::text), e.type, e.source, e.subject, e.value, e.time, e.received_at
FROM unnest(%(times)s::timestamptz[], %(uids)s::uuid[]) WITH ORDINALITY AS newest (time, uid, place)
JOIN event e ON e.project_id = %(project_id)s AND e.time = newest.time AND e.uid = newest.uid
-- Repeats, as constants, what the array says, so that the planner drops the other chunks.
WHERE e.time >= %(first)s AND e.time <= %(last)s
ORDER BY newest.place
