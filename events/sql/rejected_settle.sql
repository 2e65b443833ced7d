-- Only the claim whose event was stored is settled: another one of the same row has another uid.
UPDATE rejected_event AS row
SET state = 'replayed', changed_at = clock_timestamp()
FROM unnest(%(ids)s::uuid[], %(uids)s::uuid[]) AS given (id, uid)
WHERE row.id = given.id AND row.project_id = %(project_id)s AND row.state = 'replaying' AND row.uid = given.uid
RETURNING row.id
