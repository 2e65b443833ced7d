SELECT segment.partition, count(*), sum(segment.events)::bigint,
       greatest(0, extract(epoch FROM clock_timestamp() - min(segment.received_at)))::float8, progress.attempts
FROM event_segment AS segment JOIN partition_progress AS progress USING (partition)
GROUP BY segment.partition, progress.attempts
ORDER BY segment.partition
