SELECT version_id, partition, watermark FROM watermark
WHERE version_id = ANY(%(versions)s) AND partition = ANY(%(partitions)s)
