DROP TABLE rejected_bulk;
DROP INDEX rejected_event_bulk;
DROP INDEX rejected_event_replaying;
DROP INDEX rejected_event_waiting;
DROP INDEX rejected_event_newest;
CREATE INDEX rejected_event_newest ON rejected_event (project_id, received_at DESC);
ALTER TABLE rejected_event
    DROP COLUMN bulk,
    DROP COLUMN changed_at,
    DROP COLUMN time,
    DROP COLUMN uid,
    DROP COLUMN corrected,
    DROP COLUMN attempts,
    DROP COLUMN state;
