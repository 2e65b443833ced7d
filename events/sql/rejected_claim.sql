-- Compare and swap: from here on only this text, as this event, can be stored for the row. Whoever comes with the same
-- joins in (identity stores it once); whoever comes with another finds that somebody got there first. A claim that is
-- stale, and whose event was not stored, is anybody's: its owner died before.
UPDATE rejected_event AS row
SET state = 'replaying', corrected = NULLIF(given.text, row.raw), type = given.type, uid = given.uid, time = given.time,
    attempts = row.attempts + (row.state = 'waiting')::integer, changed_at = clock_timestamp(),
    bulk = COALESCE(%(bulk)s::uuid, row.bulk)
FROM unnest(%(ids)s::uuid[], %(texts)s::bytea[], %(types)s::text[], %(uids)s::uuid[], %(times)s::timestamptz[])
    AS given (id, text, type, uid, time)
WHERE row.id = given.id AND row.project_id = %(project_id)s
  AND (
      row.state = 'waiting'
      OR (row.state = 'replaying' AND row.uid = given.uid AND COALESCE(row.corrected, row.raw) = given.text)
      OR (
          row.state = 'replaying' AND row.changed_at < clock_timestamp() - %(stale)s
          AND NOT EXISTS (
              SELECT FROM event WHERE event.project_id = row.project_id AND event.time = row.time AND event.uid = row.uid
          )
      )
  )
RETURNING row.id
