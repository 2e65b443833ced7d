"""Faults: what must never happen, whatever dies when. docs/reliability.md says what each test proves."""
