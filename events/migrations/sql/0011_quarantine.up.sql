ALTER TABLE rejected_event
    ADD COLUMN state      text        NOT NULL DEFAULT 'waiting'
        CONSTRAINT rejected_event_state CHECK (state IN ('waiting', 'replaying', 'replayed', 'discarded')),
    ADD COLUMN attempts   integer     NOT NULL DEFAULT 0,
    ADD COLUMN corrected  bytea,
    ADD COLUMN uid        uuid,
    ADD COLUMN time       timestamptz,
    ADD COLUMN changed_at timestamptz,
    ADD COLUMN bulk       uuid;
COMMENT ON COLUMN rejected_event.corrected IS 'The text tried last, where it differs from what the sender sent.';
COMMENT ON COLUMN rejected_event.uid IS 'With time: the event that the text claimed for replay becomes, or became.';
COMMENT ON COLUMN rejected_event.bulk IS 'The bulk that treated it last.';

-- Cursors are (received_at, id): one flush may refuse thousands at one instant.
DROP INDEX rejected_event_newest;
CREATE INDEX rejected_event_newest ON rejected_event (project_id, received_at DESC, id DESC);
CREATE INDEX rejected_event_waiting ON rejected_event (project_id, type, code, received_at) WHERE state = 'waiting';
CREATE INDEX rejected_event_replaying ON rejected_event (changed_at) WHERE state = 'replaying';
CREATE INDEX rejected_event_bulk ON rejected_event (bulk, state) WHERE bulk IS NOT NULL;

CREATE TABLE rejected_bulk (
    id           uuid        PRIMARY KEY,
    project_id   integer     NOT NULL,
    action       text        NOT NULL CHECK (action IN ('replay', 'discard', 'restore')),
    selection    text        NOT NULL,
    patch        text        NOT NULL,
    total        bigint      NOT NULL,
    created_by   text        NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    reached      timestamptz,
    leased_until timestamptz,
    finished_at  timestamptz
);
CREATE INDEX rejected_bulk_created_at ON rejected_bulk (created_at);
CREATE INDEX rejected_bulk_unfinished ON rejected_bulk (created_at) WHERE finished_at IS NULL;
COMMENT ON COLUMN rejected_bulk.reached IS 'Rows received before this instant were treated: saves reading them again, decides nothing.';
