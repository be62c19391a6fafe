"""Stores: each implements the storage ports; the contracts in `testing` say what they promise."""
