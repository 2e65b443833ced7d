WITH dirty AS (
    SELECT project_id, bucket, min(noted_at) AS noted_at FROM rollup_ledger GROUP BY project_id, bucket
),
due AS (
    SELECT GREATEST(noted_at, bucket + INTERVAL '1 minute' + %(settle)s) AS since FROM dirty
    WHERE bucket <= clock_timestamp() - INTERVAL '1 minute' - %(settle)s
),
storage AS (
    SELECT COALESCE(
        (SELECT format('%%I.%%I', materialization_hypertable_schema, materialization_hypertable_name)::regclass
         FROM timescaledb_information.continuous_aggregates WHERE view_name = 'rollup_1m'),
        'rollup_1m'::regclass
    ) AS hypertable
)
SELECT (SELECT count(*) FROM dirty),
       (SELECT count(*) FROM due),
       GREATEST(EXTRACT(epoch FROM clock_timestamp() - (SELECT min(since) FROM due)), 0)::float8,
       approximate_row_count(storage.hypertable),
       hypertable_size(storage.hypertable),
       p.refreshed_at, p.last_error, p.last_error_at
FROM storage CROSS JOIN rollup_progress p
