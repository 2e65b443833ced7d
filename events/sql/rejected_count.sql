SELECT count(*) FROM rejected_event WHERE {matching}
