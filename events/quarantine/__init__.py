"""Refused events that wait for a correction: found again, judged again, replayed once."""
