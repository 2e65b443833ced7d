DROP TABLE ingest_drop;
DROP TABLE ingest_usage;
