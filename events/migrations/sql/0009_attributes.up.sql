ALTER TABLE event ADD COLUMN attributes jsonb;

COMMENT ON COLUMN event.attributes IS 'What an event of another protocol has beyond our fields. NULL in events of our own form.';
