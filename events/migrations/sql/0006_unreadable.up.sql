-- Which of these documents jsonb cannot hold (1e-99999, say), by place from 0, and what it says of them. A block of
-- this kind costs microseconds. Found by halving, with savepoints from outside, a request of 5,000 such events held
-- up all other requests for the better part of a minute.
CREATE FUNCTION ingest_unreadable(documents text[])
RETURNS TABLE (place integer, said text)
LANGUAGE plpgsql AS $$
DECLARE
    document text;
    read     jsonb;
BEGIN
    place := -1;
    FOREACH document IN ARRAY documents LOOP
        place := place + 1;
        BEGIN
            read := document::jsonb;
        EXCEPTION WHEN data_exception THEN
            said := SQLERRM;
            RETURN NEXT;
        END;
    END LOOP;
END
$$;
