-- Materialized only: the selector takes raw events for what the ledger says is not refreshed, on both editions alike.
CREATE MATERIALIZED VIEW rollup_1m
WITH (timescaledb.continuous, timescaledb.materialized_only = true, timescaledb.create_group_indexes = false) AS
SELECT
    project_id,
    time_bucket(INTERVAL '1 minute', time) AS bucket,
    type,
    source,
    count(*)                   AS events,
    count(value)               AS "values",
    sum(rollup_term(value))    AS sum,
    min(value)                 AS min,
    max(value)                 AS max,
    sum(rollup_square(value))  AS sum_squares
FROM event
GROUP BY project_id, time_bucket(INTERVAL '1 minute', time), type, source
WITH NO DATA;

CREATE INDEX rollup_1m_series ON rollup_1m (project_id, bucket);
