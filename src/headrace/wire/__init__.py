"""Bytes to values and back: the HTTP contract as types. No I/O."""
