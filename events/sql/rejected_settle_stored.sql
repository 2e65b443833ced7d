UPDATE rejected_event AS row
SET state = 'replayed', changed_at = clock_timestamp()
WHERE row.id = ANY(%(ids)s::uuid[]) AND row.state = 'replaying'
  AND EXISTS (
      SELECT FROM event WHERE event.project_id = row.project_id AND event.time = row.time AND event.uid = row.uid
  )
RETURNING row.id
