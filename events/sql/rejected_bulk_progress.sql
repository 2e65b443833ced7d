SELECT b.id, b.action, b.total, b.created_by, b.created_at, b.finished_at,
       count(row.id), count(row.id) FILTER (WHERE row.state = 'waiting'), count(row.id) FILTER (WHERE row.state = 'replayed'),
       count(row.id) FILTER (WHERE row.state = 'discarded')
FROM rejected_bulk AS b LEFT JOIN rejected_event AS row ON row.bulk = b.id
WHERE b.id = %(id)s AND b.project_id = %(project_id)s
GROUP BY b.id
