"""The command `streamgauge`: send, import, tail."""
