"""How fast the whole system is: real processes over HTTP, every commit on disk.

`python -m bench` runs it; docs/reference/benchmarks.md explains and keeps the results.
"""
