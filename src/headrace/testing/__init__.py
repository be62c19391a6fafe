"""For tests of your own tasks and backends: contracts, clocks, faults."""
