-- Pruned tables reuse their space, and a BRIN index over reused space names nearly every page: pruning read them all.
DROP INDEX ingest_flush_committed_at;
CREATE INDEX ingest_flush_committed_at ON ingest_flush (committed_at);
CREATE INDEX event_tail_received_at ON event_tail (received_at);

-- Seconds by process, until they are folded into hours under the nil process.
CREATE INDEX ingest_count_unfolded ON ingest_count (second)
WHERE process <> '00000000-0000-0000-0000-000000000000';

CREATE INDEX rejected_event_received_at ON rejected_event (received_at);
