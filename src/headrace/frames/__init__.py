"""Coroutines that can be saved at an await, dropped, and rebuilt in another process."""
