"""Metrics, structured logs and request ids: the bottom layer, which anyone may import."""
