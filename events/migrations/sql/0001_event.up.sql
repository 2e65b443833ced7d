CREATE EXTENSION IF NOT EXISTS timescaledb;

CREATE TABLE event (
    project_id    integer          NOT NULL,
    time          timestamptz      NOT NULL CHECK (time >= '0001-01-01 00:00:00+00' AND time < '9999-01-01 00:00:00+00'),
    uid           uuid             NOT NULL,
    type          text             NOT NULL,
    source        text             NOT NULL,
    subject       text             NOT NULL,
    partition_key text             NOT NULL,
    partition     smallint         NOT NULL,
    event_id      text,
    value         double precision CHECK (value > '-Infinity' AND value < 'Infinity'),
    data          jsonb,
    received_at   timestamptz      NOT NULL,
    PRIMARY KEY (project_id, time, uid)
);

SELECT create_hypertable('event', by_range('time', INTERVAL '1 day'), create_default_indexes => false);

COMMENT ON COLUMN event.uid IS 'Identity key of the sender''s id, or a UUIDv7 when the server made the id.';
COMMENT ON COLUMN event.event_id IS 'The sender''s id. NULL when the server made it: the id is then uid.';
