INSERT INTO watermark AS known (version_id, partition, watermark, event_at)
SELECT * FROM unnest(%(versions)b::bigint[], %(partitions)b::smallint[], %(watermarks)s::timestamptz[], %(received)s::timestamptz[])
ON CONFLICT (version_id, partition) DO UPDATE SET
    watermark = greatest(known.watermark, excluded.watermark),
    event_at = greatest(known.event_at, excluded.event_at)
