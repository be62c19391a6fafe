"""Commands, flags, output."""
