DROP TABLE poison_segment;
DROP TABLE late_event;
DROP TABLE window_result;
DROP TABLE window_grown;
DROP TABLE window_state;
DROP TABLE watermark;
DROP TABLE partition_progress;
DROP TABLE deployment;
