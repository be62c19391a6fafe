"""What the worker of the benchmark executes."""
