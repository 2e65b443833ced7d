DROP INDEX rejected_event_received_at;
DROP INDEX ingest_count_unfolded;
DROP INDEX event_tail_received_at;
DROP INDEX ingest_flush_committed_at;
CREATE INDEX ingest_flush_committed_at ON ingest_flush USING brin (committed_at);
