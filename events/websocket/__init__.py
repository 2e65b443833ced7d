"""WS /ws/v1/ingest: frames, credit and answers of one socket. docs/websocket.md is its contract."""
