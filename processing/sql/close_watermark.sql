-- The least watermark, NULL until every partition has one.
SELECT CASE WHEN count(watermark) = %(partitions)s THEN min(watermark) END FROM watermark WHERE version_id = %(version)s
