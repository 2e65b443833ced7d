SELECT partition FROM unnest(%(partitions)s::smallint[]) AS held (partition)
WHERE NOT EXISTS (SELECT FROM event_segment AS segment WHERE segment.partition = held.partition)
