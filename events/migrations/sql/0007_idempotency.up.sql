CREATE TABLE idempotency (
    project_id integer     NOT NULL,
    key_hash   uuid        NOT NULL,
    body_hash  bytea       NOT NULL,
    flush_id   uuid        NOT NULL,
    created_at timestamptz NOT NULL,
    status     smallint,
    accepted   integer,
    duplicates integer,
    rejected   integer,
    answer     bytea,
    PRIMARY KEY (project_id, key_hash)
);
CREATE INDEX idempotency_oldest ON idempotency (created_at);
COMMENT ON TABLE idempotency IS 'What requests with an Idempotency-Key were answered, written by their flush; pruned after a day.';
COMMENT ON COLUMN idempotency.answer IS 'msgpack: accepted, duplicates, request id, ids, errors. See events/idempotency.py.';

-- Take these keys for a flush. Who uses one just now is waited for up to lock_timeout, all together: once that is over,
-- each of the others is only tried. A key without a row afterwards is in use elsewhere. In order, so that two flushes
-- with the same keys do not deadlock.
CREATE FUNCTION ingest_claim(flush uuid, begun timestamptz, projects integer[], keys uuid[], bodies bytea[]) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    patience text := current_setting('lock_timeout');
    sent     record;
BEGIN
    INSERT INTO idempotency (project_id, key_hash, body_hash, flush_id, created_at)
    SELECT project, key, body, flush, begun FROM unnest(projects, keys, bodies) AS claim (project, key, body)
    ORDER BY project, key
    ON CONFLICT DO NOTHING;
EXCEPTION WHEN lock_not_available THEN
    PERFORM set_config('lock_timeout', '10ms', true);
    FOR sent IN SELECT * FROM unnest(projects, keys, bodies) AS claim (project, key, body) ORDER BY project, key LOOP
        BEGIN
            INSERT INTO idempotency (project_id, key_hash, body_hash, flush_id, created_at)
            VALUES (sent.project, sent.key, sent.body, flush, begun)
            ON CONFLICT DO NOTHING;
        EXCEPTION WHEN lock_not_available THEN
            NULL;
        END;
    END LOOP;
    PERFORM set_config('lock_timeout', patience, true);
END
$$;
