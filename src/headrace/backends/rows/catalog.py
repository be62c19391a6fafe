"""What workers have declared, as rows: how it is packed, and read back.

Must never know: which database, and how it is written.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeAlias, cast

import msgspec

from headrace.backends.rows import Row
from headrace.kernel.model import EnvId, TaskId
from headrace.ports import Code
from headrace.wire.registration import Registration, StreamSpec, TaskSpec

Look: TypeAlias = Callable[[str, Sequence[object]], Awaitable[Sequence[Row]]]
"""Looks something up: by a statement, and its values."""

pack = msgspec.msgpack.Encoder().encode
_task_spec = msgspec.msgpack.Decoder(TaskSpec).decode
_functions = msgspec.msgpack.Decoder(dict[str, str]).decode
_stream_spec = msgspec.msgpack.Decoder(StreamSpec).decode


class Declared:
    """The verbs of the `Catalog` port that only read."""

    def __init__(self, look: Look, sql: Mapping[str, str]) -> None:
        self._look, self._sql = look, sql

    async def task(self, env: EnvId, task_id: TaskId) -> TaskSpec | None:
        """Return the task's latest declaration by any version."""
        specs = await self._specs("select_declared", (env, "task", task_id))
        return _task_spec(specs[0]) if specs else None

    async def stream(self, env: EnvId, name: str) -> StreamSpec | None:
        """Return the stream's latest declaration by any version."""
        specs = await self._specs("select_declared", (env, "stream", name))
        return _stream_spec(specs[0]) if specs else None

    async def listing(self, env: EnvId) -> Registration | None:
        """Return everything known, by name, under the latest version."""
        latest = await self._look(self._sql["select_latest_deploy"], (env,))
        if not latest:
            return None
        return Registration(
            version=cast("str", latest[0][0]),
            tasks=tuple(map(_task_spec, await self._specs("select_all_declared", (env, "task")))),
            streams=tuple(
                map(_stream_spec, await self._specs("select_all_declared", (env, "stream")))
            ),
        )

    async def code(self, env: EnvId, task_id: TaskId) -> Code | None:
        """Return what the version is made of that declared the task last."""
        found = await self._look(self._sql["select_code"], (env, task_id))
        if not found:
            return None
        version, python, functions = cast("tuple[str, str, bytes | None]", found[0])
        return Code(version, python, {} if functions is None else _functions(functions))

    async def _specs(self, query: str, values: tuple[str, ...]) -> list[bytes]:
        return [cast("bytes", spec) for (spec,) in await self._look(self._sql[query], values)]
