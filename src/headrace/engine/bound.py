"""What groups of use cases have in common: the engine, and the environment they are bound to."""

from __future__ import annotations

from headrace.engine.core import Core
from headrace.kernel.model import EnvId


class Bound:
    """Base: use cases of one environment."""

    def __init__(self, core: Core, env: EnvId) -> None:
        self._core, self._env = core, env
