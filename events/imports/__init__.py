"""Imports: files of events, kept on disk, read by workers in batches that commit with their progress."""
