DROP TABLE rollup_progress;
ALTER TABLE rollup_ledger DROP COLUMN noted_at, DROP COLUMN refresh;
DROP FUNCTION rollup_square(double precision);
DROP FUNCTION rollup_term(double precision);
