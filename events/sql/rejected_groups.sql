SELECT type, code, count(*), max(received_at)
FROM rejected_event
WHERE {matching}
GROUP BY type, code
ORDER BY count(*) DESC, type, code
LIMIT %(limit)s
