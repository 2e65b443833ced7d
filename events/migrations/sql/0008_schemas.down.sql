DROP TRIGGER schema_version_immutable ON events_schemaversion;
DROP FUNCTION schema_version_refuse();
DROP TABLE schema_warning;
