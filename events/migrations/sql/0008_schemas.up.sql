-- Counted off the hot path, once a second by each process: see events/schemas/watching.py.
CREATE TABLE schema_warning (
    project_id integer     NOT NULL,
    type       text        NOT NULL,
    minute     timestamptz NOT NULL,
    events     bigint      NOT NULL,
    pointer    text        NOT NULL,
    message    text        NOT NULL,
    PRIMARY KEY (project_id, type, minute)
);
CREATE INDEX schema_warning_minute ON schema_warning (minute);

-- A version that events were refused by must be readable as it was.
CREATE FUNCTION schema_version_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'versions of schemas are written once and never changed; add another version'
        USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER schema_version_immutable BEFORE UPDATE ON events_schemaversion
    FOR EACH ROW EXECUTE FUNCTION schema_version_refuse();
