INSERT INTO rejected_bulk (id, project_id, action, selection, patch, total, created_by)
VALUES (%(id)s, %(project_id)s, %(action)s, %(selection)s, %(patch)s, %(total)s, %(created_by)s)
