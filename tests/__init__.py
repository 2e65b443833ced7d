"""Tests of every tier; a package, so that `python -m tests.benchmarks` finds its own."""
