"""What the worker of the timer tests executes."""
