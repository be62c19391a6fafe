"""Send typed data to a running, or sleeping, Python task."""
