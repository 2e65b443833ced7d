"""Figures with the limit of the same machine beside them; `python -m tests.benchmarks` prints them."""
