-- Float8 arithmetic raises on overflow and on underflow, so that one event of 1e300 would stop every refresh of its
-- bucket. Past these bounds a term counts as infinite, or as nothing; up to them 10^18 terms cannot overflow.
CREATE FUNCTION rollup_term(value double precision) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN value > 1e290 THEN 'Infinity' WHEN value < -1e290 THEN '-Infinity' ELSE value END
$$;
CREATE FUNCTION rollup_square(value double precision) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN abs(value) > 1e145 THEN 'Infinity' WHEN abs(value) < 1e-145 THEN 0 ELSE value * value END
$$;

ALTER TABLE rollup_ledger
    ADD COLUMN noted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ADD COLUMN refresh  uuid;
COMMENT ON COLUMN rollup_ledger.refresh IS 'Set by the refresh that saw the row before it began. NULL: not seen yet.';

CREATE TABLE rollup_progress (
    id               smallint    PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    after_project_id integer     NOT NULL DEFAULT 0,
    after_bucket     timestamptz NOT NULL DEFAULT '0001-01-01 00:00:00+00',
    refreshed_at     timestamptz,
    last_error       text,
    last_error_at    timestamptz
);
INSERT INTO rollup_progress DEFAULT VALUES;
COMMENT ON COLUMN rollup_progress.after_bucket IS 'Where the last refresh stopped: the next goes on from here, so that no project waits for ever.';

-- What is already stored is not in the rollup yet, and says so.
INSERT INTO rollup_ledger (project_id, bucket)
SELECT DISTINCT project_id, time_bucket(INTERVAL '1 minute', time) FROM event;
