project_id = %(project_id)s
AND (%(state)s::text IS NULL OR state = %(state)s)
AND (%(type)s::text IS NULL OR type = %(type)s)
AND (%(code)s::text IS NULL OR code = %(code)s)
AND (%(start)s::timestamptz IS NULL OR received_at >= %(start)s)
AND (%(end)s::timestamptz IS NULL OR received_at < %(end)s)
AND (%(bulk)s::uuid IS NULL OR bulk = %(bulk)s)
AND (%(ids)s::uuid[] IS NULL OR id = ANY(%(ids)s::uuid[]))
