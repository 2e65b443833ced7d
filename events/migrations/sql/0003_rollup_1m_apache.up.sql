CREATE TABLE rollup_1m (
    project_id  integer          NOT NULL,
    bucket      timestamptz      NOT NULL,
    type        text             NOT NULL,
    source      text             NOT NULL,
    events      bigint           NOT NULL,
    "values"    bigint           NOT NULL,
    sum         double precision,
    min         double precision,
    max         double precision,
    sum_squares double precision,
    PRIMARY KEY (project_id, bucket, type, source)
);
SELECT create_hypertable('rollup_1m', by_range('bucket', INTERVAL '7 days'), create_default_indexes => false);
