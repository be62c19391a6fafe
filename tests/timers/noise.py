"""How late this machine lets a process be that does nothing but sleep.

The floor of every lateness: what others do to the machine, they do to this as well.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from bench.samples import quantile

NAP_S = 0.01


@dataclass(slots=True)
class Noise:
    """What naps have shown so far, in ms."""

    late: list[float] = field(default_factory=list[float])

    @property
    def p99(self) -> float:
        """Return by how much one nap in a hundred was too long."""
        return quantile(self.late, 0.99) if self.late else 0.0


@asynccontextmanager
async def listened() -> AsyncGenerator[Noise]:
    """Nap again and again beside the block."""
    noise = Noise()

    async def nap() -> None:
        while True:
            start = time.monotonic()
            await asyncio.sleep(NAP_S)
            noise.late.append((time.monotonic() - start - NAP_S) * 1_000)

    async with asyncio.TaskGroup() as group:
        napping = group.create_task(nap())
        yield noise
        napping.cancel()
