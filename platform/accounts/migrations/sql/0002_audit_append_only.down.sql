DROP TRIGGER accounts_audit_append_only ON accounts_auditentry;

DROP FUNCTION accounts_audit_refuse();
