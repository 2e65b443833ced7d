CREATE TABLE event_identity (
    generation integer     NOT NULL,
    key        uuid        NOT NULL,
    time       timestamptz NOT NULL,
    PRIMARY KEY (generation, key)
) PARTITION BY LIST (generation);
CREATE TABLE event_identity_g1 PARTITION OF event_identity FOR VALUES IN (1);

CREATE TABLE ingest_flush (
    id           uuid        PRIMARY KEY,
    process      uuid        NOT NULL,
    committed_at timestamptz NOT NULL,
    duplicates   bytea,
    refused      bytea
);
CREATE INDEX ingest_flush_committed_at ON ingest_flush USING brin (committed_at);
COMMENT ON COLUMN ingest_flush.duplicates IS 'Big-endian 32-bit positions, within the flush, of the events that were duplicates.';
COMMENT ON COLUMN ingest_flush.refused IS 'Likewise, of the events that the database refused.';

CREATE TABLE ingest_epoch (
    id                  smallint    PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    routing_version     bigint      NOT NULL DEFAULT 1,
    identity_generation integer     NOT NULL DEFAULT 1,
    rotated_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    changed_at          timestamptz NOT NULL DEFAULT clock_timestamp()
);
INSERT INTO ingest_epoch DEFAULT VALUES;

CREATE TABLE event_route (
    project_id integer NOT NULL,
    pattern    text    NOT NULL,
    PRIMARY KEY (project_id, pattern)
);
COMMENT ON TABLE event_route IS 'Types (globs) an enabled pipeline wants in the log. Written under EPOCH with routing_version + 1.';

CREATE TABLE ingest_count (
    project_id integer     NOT NULL,
    second     timestamptz NOT NULL,
    type       text        NOT NULL,
    process    uuid        NOT NULL,
    accepted   bigint      NOT NULL DEFAULT 0,
    duplicate  bigint      NOT NULL DEFAULT 0,
    rejected   bigint      NOT NULL DEFAULT 0,
    PRIMARY KEY (project_id, second, type, process)
);

CREATE TABLE ingest_latency (
    second  timestamptz NOT NULL,
    process uuid        NOT NULL,
    counts  integer[]   NOT NULL,
    PRIMARY KEY (second, process)
);

CREATE TABLE event_tail (
    project_id  integer     NOT NULL,
    received_at timestamptz NOT NULL,
    time        timestamptz NOT NULL,
    uid         uuid        NOT NULL
);
CREATE INDEX event_tail_newest ON event_tail (project_id, received_at DESC);
COMMENT ON TABLE event_tail IS 'A sample of what just arrived, at most 50 a second per project and process; pruned after minutes.';

CREATE TABLE event_segment (
    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    partition   smallint    NOT NULL,
    flush_id    uuid        NOT NULL,
    ordinal     smallint    NOT NULL,
    received_at timestamptz NOT NULL,
    events      integer     NOT NULL,
    payload     bytea       NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX event_segment_oldest ON event_segment (partition, id);
ALTER TABLE event_segment ALTER COLUMN payload SET STORAGE EXTERNAL;

CREATE TABLE rollup_ledger (
    project_id integer     NOT NULL,
    bucket     timestamptz NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
CREATE INDEX rollup_ledger_bucket ON rollup_ledger (project_id, bucket);

CREATE TABLE rejected_event (
    id          uuid        PRIMARY KEY,
    project_id  integer     NOT NULL,
    received_at timestamptz NOT NULL,
    request_id  text        NOT NULL,
    key_id      bigint,
    position    integer     NOT NULL,
    type        text        NOT NULL,
    code        text        NOT NULL,
    pointer     text        NOT NULL,
    message     text        NOT NULL,
    raw         bytea       NOT NULL
);
CREATE INDEX rejected_event_newest ON rejected_event (project_id, received_at DESC);

-- One round trip opens a flush. VOLATILE plpgsql takes a new snapshot for each statement, so the epoch is read
-- after the lock was granted, never before. 7238001 is EPOCH: see events/epoch.py.
CREATE FUNCTION ingest_begin(flush uuid, flush_process uuid)
RETURNS TABLE (fresh boolean, routing_version bigint, generation integer, received_at timestamptz, duplicates bytea,
               refused bytea)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    inserted integer;
BEGIN
    INSERT INTO ingest_flush (id, process, committed_at) VALUES (flush, flush_process, clock_timestamp())
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS inserted = ROW_COUNT;
    IF inserted = 0 THEN
        RETURN QUERY SELECT false, 0::bigint, 0, f.committed_at, f.duplicates, f.refused FROM ingest_flush f WHERE f.id = flush;
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock_shared(7238001);
    RETURN QUERY
        SELECT true, e.routing_version, e.identity_generation, clock_timestamp(), NULL::bytea, NULL::bytea
        FROM ingest_epoch e;
END
$$;
