CREATE TABLE deployment (
    version_id       bigint      PRIMARY KEY,
    pipeline_id      bigint      NOT NULL,
    project_id       integer     NOT NULL,
    definition       jsonb       NOT NULL,
    watermark_delay  interval    NOT NULL,
    allowed_lateness interval    NOT NULL,
    effective_from   timestamptz NOT NULL,
    effective_until  timestamptz,
    closed_through   timestamptz,
    finished_at      timestamptz
);
CREATE INDEX deployment_unfinished ON deployment (project_id) WHERE finished_at IS NULL;
COMMENT ON TABLE deployment IS 'A pipeline version as workers run it: counts events received in (effective_from, effective_until]. Written under EPOCH.';
COMMENT ON COLUMN deployment.closed_through IS 'Every window that ends here or before has been closed at least once. Moved by close_windows, under this row''s lock.';
COMMENT ON COLUMN deployment.finished_at IS 'Replaced or paused, and its last window is final.';

CREATE TABLE partition_progress (
    partition       smallint    PRIMARY KEY CHECK (partition BETWEEN 0 AND 63),
    attempts        integer     NOT NULL DEFAULT 0,
    stage           smallint    NOT NULL DEFAULT 0 CHECK (stage BETWEEN 0 AND 2),
    isolate_through bigint,
    head_segment    bigint,
    head_version    bigint,
    head_done       bigint[]    NOT NULL DEFAULT '{}',
    worker          text        NOT NULL DEFAULT '',
    attempted_at    timestamptz,
    drained_at      timestamptz
) WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
INSERT INTO partition_progress (partition) SELECT generate_series(0, 63);
COMMENT ON COLUMN partition_progress.attempts IS 'Drains begun since the last one that committed.';
COMMENT ON COLUMN partition_progress.stage IS '0: many segments a drain. 1: one segment. 2: one pipeline version of one segment (head_*).';
COMMENT ON COLUMN partition_progress.isolate_through IS 'Segments up to this id are folded one at a time.';

CREATE TABLE watermark (
    version_id bigint      NOT NULL,
    partition  smallint    NOT NULL,
    watermark  timestamptz,
    event_at   timestamptz NOT NULL,
    PRIMARY KEY (version_id, partition)
) WITH (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
COMMENT ON TABLE watermark IS 'Written only under the partition''s lock; never moves back.';
COMMENT ON COLUMN watermark.event_at IS 'When the last event of this version was received in this partition; at first the deploy.';

CREATE TABLE window_state (
    version_id   bigint      NOT NULL,
    partition    smallint    NOT NULL,
    group_key    text        NOT NULL,
    window_start timestamptz NOT NULL,
    window_end   timestamptz NOT NULL,
    partial      bytea       NOT NULL,
    PRIMARY KEY (version_id, partition, group_key, window_start)
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX window_state_end ON window_state (version_id, window_end, group_key);
COMMENT ON COLUMN window_state.partial IS 'msgpack: one aggregate state per aggregate of the definition.';

CREATE TABLE window_grown (
    version_id   bigint      NOT NULL,
    group_key    text        NOT NULL,
    window_start timestamptz NOT NULL,
    window_end   timestamptz NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
CREATE INDEX window_grown_end ON window_grown (version_id, window_end);
COMMENT ON TABLE window_grown IS 'Append-only: windows that got events after their partition''s watermark had passed them. Emptied by close_windows.';

CREATE TABLE window_result (
    project_id   integer          NOT NULL,
    pipeline_id  bigint           NOT NULL,
    version_id   bigint           NOT NULL,
    group_key    text             NOT NULL,
    window_start timestamptz      NOT NULL,
    window_end   timestamptz      NOT NULL,
    revision     integer          NOT NULL CHECK (revision >= 1),
    final        boolean          NOT NULL,
    partial      boolean          NOT NULL,
    count        bigint           NOT NULL,
    sum          double precision,
    min          double precision,
    max          double precision,
    computed_at  timestamptz      NOT NULL,
    PRIMARY KEY (version_id, window_end, group_key, window_start, revision)
);
SELECT create_hypertable('window_result', by_range('window_end', INTERVAL '7 days'), create_default_indexes => false);
CREATE INDEX window_result_newest ON window_result (project_id, window_end DESC);
COMMENT ON COLUMN window_result.final IS 'True on the last revision, once no event can change it.';
COMMENT ON COLUMN window_result.partial IS 'The version counted only part of this window: it began before the deploy, or ended after a pause.';

CREATE TABLE late_event (
    id            bigint           GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id    integer          NOT NULL,
    pipeline_id   bigint           NOT NULL,
    version_id    bigint           NOT NULL,
    partition     smallint         NOT NULL,
    group_key     text             NOT NULL,
    window_start  timestamptz      NOT NULL,
    window_end    timestamptz      NOT NULL,
    watermark     timestamptz      NOT NULL,
    uid           uuid             NOT NULL,
    time          timestamptz      NOT NULL,
    received_at   timestamptz      NOT NULL,
    type          text             NOT NULL,
    source        text             NOT NULL,
    subject       text             NOT NULL,
    partition_key text             NOT NULL,
    value         double precision,
    data          jsonb,
    recorded_at   timestamptz      NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX late_event_window ON late_event (version_id, window_end);
CREATE INDEX late_event_newest ON late_event (project_id, recorded_at DESC);

CREATE TABLE poison_segment (
    id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id   integer     NOT NULL,
    pipeline_id  bigint      NOT NULL,
    version_id   bigint      NOT NULL,
    partition    smallint    NOT NULL,
    segment_id   bigint      NOT NULL,
    flush_id     uuid        NOT NULL,
    ordinal      smallint    NOT NULL,
    received_at  timestamptz NOT NULL,
    events       integer     NOT NULL,
    payload      bytea       NOT NULL,
    error        text        NOT NULL,
    attempts     integer     NOT NULL,
    set_aside_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (version_id, segment_id)
);
CREATE INDEX poison_segment_newest ON poison_segment (project_id, set_aside_at DESC);
