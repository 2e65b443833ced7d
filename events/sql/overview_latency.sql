-- statement_timestamp(), here and in the other reads: clock_timestamp() is volatile, and no index serves it.
-- The histograms of all processes, added up place by place.
SELECT place, sum(count)::bigint
FROM ingest_latency CROSS JOIN LATERAL unnest(counts) WITH ORDINALITY AS histogram (count, place)
WHERE second >= statement_timestamp() - %(window)s
GROUP BY place
