"""Measurements of this template; run with `make bench` or `python -m benchmarks`."""
