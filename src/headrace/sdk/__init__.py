"""What a task's author imports: tasks, steps, streams, waits, and what carries their values.

Must never know: the worker, the engine, HTTP. Outside a run it asks `connection` for an `Api`.
"""
