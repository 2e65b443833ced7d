"""Schemas: what the `data` of a type of event must look like, in versions."""
