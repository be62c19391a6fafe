"""Output streams as others write them: once for each writer and number, by anybody with a key.

Owns: whose stream a target is, and what is there already.
Must never know: HTTP, framing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from headrace.engine.bound import Bound
from headrace.engine.core import Core
from headrace.engine.sends import key_of, over
from headrace.engine.sheet import Sheet, drafted
from headrace.engine.specs import NAME_AT_MOST
from headrace.engine.views import find_run
from headrace.errors import BadRequest, KeyReused, NotFound, TooLarge
from headrace.kernel.model import Over, Run, StreamId, outward
from headrace.ports import Target
from headrace.wire import jsontext, schemas


class Writing(Bound):
    """The use cases about writing to output streams."""

    async def write(
        self,
        run_id: str,
        stream: str,
        values: Sequence[bytes],
        *,
        writer: str = "",
        first: int = 0,
        target: Target = "self",
    ) -> None:
        """Append the values that are not there yet."""
        run = await self._run(run_id, target)
        _check_name(stream)
        await self._check(stream, values)
        written = _Written(self._core, outward(stream), tuple(values), writer, first)
        await self._core.post(run.id, written)

    async def written(
        self, run_id: str, stream: str, *, writer: str, target: Target = "self"
    ) -> int:
        """Count the values of the writer that are there: they have no gap, so a few looks do."""
        run, name = await self._run(run_id, target), outward(stream)

        async def is_there(number: int) -> bool:
            key = _key(writer, number)
            return (
                bool(key) and await self._core.stores.streams.known(run.id, name, key) is not None
            )

        count, too_many = 0, 1
        while await is_there(too_many - 1):
            count, too_many = too_many, 2 * too_many
        while too_many - count > 1:
            middle = (count + too_many) // 2
            if await is_there(middle - 1):
                count = middle
            else:
                too_many = middle
        return count

    async def _run(self, run_id: str, target: Target) -> Run:
        run = await find_run(self._core, self._env, run_id)
        if target == "self":
            return run
        above = await self._above(run)
        if above is None:
            raise NotFound(f"run {run_id!r} was started by no other run")
        while target == "root" and (higher := await self._above(above)) is not None:
            above = higher
        return above

    async def _above(self, run: Run) -> Run | None:
        order = await self._core.stores.runs.order(run.id, most=0)
        if order is None or order.parent is None:
            return None
        return await find_run(self._core, self._env, order.parent)

    async def _check(self, stream: str, values: Sequence[bytes]) -> None:
        """Demand what the run's own code would have to keep to, too."""
        spec = await self._core.specs.stream(self._env, stream)
        fits = None if spec is None or spec.inward else schemas.validator(spec.schema)
        for value in values:
            if len(value) > jsontext.MAX_DATA:
                most, size = jsontext.MAX_DATA, len(value)
                raise TooLarge(f"a record holds at most {most} bytes, this has {size}")
            if fits is not None:
                fits(value)


@dataclass(slots=True)
class _Written:
    """Values on their way to the run's desk."""

    core: Core
    stream: StreamId
    values: Sequence[bytes]
    writer: str
    first: int
    places: list[int] = field(default_factory=list[int])
    """Where they were to stand when this was decided last."""

    async def __call__(self, sheet: Sheet) -> object:
        """Append what is new; a run that is over takes nothing new."""
        there = await self._there(sheet)
        is_new = there < len(self.values) or not self.values
        if is_new and isinstance(sheet.run.state, Over):
            raise over(sheet.run)
        for number in range(there, len(self.values)):
            value = self.values[number]
            key = _key(self.writer, self.first + number)
            seq = await sheet.append(self.stream, value, key, jsontext.digest(value))
            self.places[number:] = [seq]
        return None

    async def _there(self, sheet: Sheet) -> int:
        """Count the values that are there: nothing follows on the first that is not."""
        if not self.writer:  # no key tells what is there: only that this very job has put it there
            return sum((self.stream, seq) in sheet.written for seq in self.places)
        for number, value in enumerate(self.values):
            if not await self._is_there(sheet, self.first + number, value):
                await self._check_gap(sheet, self.first + number)
                return number
        return len(self.values)

    async def _is_there(self, sheet: Sheet, number: int, value: bytes | None = None) -> bool:
        key = _key(self.writer, number)
        known = self.core.stores.streams.known
        found = drafted(sheet, self.stream, key) or await known(sheet.run.id, self.stream, key)
        if found is None:
            return False
        if value is not None and found.digest != jsontext.digest(value):
            message = f"value {number} of this writer is there already, with another body"
            raise KeyReused(message, hint="Another writer needs another name.", seq=found.seq)
        return True

    async def _check_gap(self, sheet: Sheet, number: int) -> None:
        if number and not await self._is_there(sheet, number - 1):
            message = f"value {number} of this writer is not its next: those before are missing"
            raise BadRequest(message, hint="Ask how many are there, and go on with those.")


def _key(writer: str, number: int) -> bytes:
    """Return the stored form of a value's place; without a writer it has none."""
    return key_of("writer", f"{number}\0{writer}") if writer else b""


def _check_name(stream: str) -> None:
    if not 0 < len(stream) <= NAME_AT_MOST or not stream.isprintable():
        raise BadRequest(f"a stream's name has 1 to {NAME_AT_MOST} printable characters")
