"""Timers of the whole system: never early, seldom late, whatever the wall clock does.

`python -m tests.timers` runs the full measurement and writes docs/reliability/timers.md.
"""
