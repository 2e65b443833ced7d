DROP FUNCTION ingest_unreadable(text[]);
