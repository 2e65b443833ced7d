-- Back to waiting, with the new reason. A row that somebody is replaying is left to them, unless the refusal is of the
-- very event that was claimed (given.uid), or the claim is stale and its event was not stored: its owner died before.
UPDATE rejected_event AS row
SET state = 'waiting', code = given.code, pointer = given.pointer, message = given.message,
    type = COALESCE(NULLIF(given.type, ''), row.type), corrected = NULLIF(given.text, row.raw), uid = NULL, time = NULL,
    attempts = row.attempts + (row.state = 'waiting')::integer, changed_at = clock_timestamp(),
    bulk = COALESCE(%(bulk)s::uuid, row.bulk)
FROM unnest(%(ids)s::uuid[], %(texts)s::bytea[], %(types)s::text[], %(codes)s::text[], %(pointers)s::text[],
            %(messages)s::text[], %(uids)s::uuid[])
    AS given (id, text, type, code, pointer, message, uid)
WHERE row.id = given.id AND row.project_id = %(project_id)s
  AND (
      (row.state = 'waiting' AND given.uid IS NULL)
      OR (row.state = 'replaying' AND row.uid = given.uid)
      OR (
          row.state = 'replaying' AND given.uid IS NULL AND row.changed_at < clock_timestamp() - %(stale)s
          AND NOT EXISTS (
              SELECT FROM event WHERE event.project_id = row.project_id AND event.time = row.time AND event.uid = row.uid
          )
      )
  )
RETURNING row.id
