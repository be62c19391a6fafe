"""The reference: everything in dictionaries, slow, small, obviously right. Nothing is durable."""

from headrace.backends.memory.opening import open_memory

__all__ = ["open_memory"]
