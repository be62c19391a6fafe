"""One suite of tests for each port: whatever implements it passes all of it."""
