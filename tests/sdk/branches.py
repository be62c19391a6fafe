"""The one place where tests start a task as their users do.

What a run's code creates by `asyncio.create_task` is a branch of the run, whoever holds it; that is
what these tests are about.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def branch(body: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """Start a branch of the run that executes."""
    return asyncio.create_task(body)
