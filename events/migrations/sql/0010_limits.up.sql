-- By process, or every flush of every process would wait for the same row.
CREATE TABLE ingest_usage (
    project_id integer NOT NULL,
    day        date    NOT NULL,
    key_id     bigint  NOT NULL,
    process    uuid    NOT NULL,
    events     bigint  NOT NULL,
    PRIMARY KEY (project_id, day, key_id, process)
) WITH (fillfactor = 50);
CREATE INDEX ingest_usage_day ON ingest_usage (day);
COMMENT ON TABLE ingest_usage IS 'Events stored by key and day (UTC). Key 0: sent without one.';

CREATE TABLE ingest_drop (
    project_id integer     NOT NULL,
    minute     timestamptz NOT NULL,
    reason     text        NOT NULL,
    key_id     bigint      NOT NULL,
    events     bigint      NOT NULL DEFAULT 0,
    requests   bigint      NOT NULL DEFAULT 0,
    PRIMARY KEY (project_id, minute, reason, key_id)
) WITH (fillfactor = 50);
CREATE INDEX ingest_drop_minute ON ingest_drop (minute);
COMMENT ON COLUMN ingest_drop.events IS 'Events that were not stored, as far as their number is known.';
COMMENT ON COLUMN ingest_drop.requests IS 'Requests that were refused as a whole.';
