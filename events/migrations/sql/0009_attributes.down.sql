ALTER TABLE event DROP COLUMN attributes;
