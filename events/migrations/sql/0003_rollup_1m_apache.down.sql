DROP TABLE rollup_1m;
