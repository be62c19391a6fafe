"""Turns the variables of frames into bytes, and back in another process.

Owns: the one memo that all frames of a chain share, so that what two of them share stays shared.
Must never know: what a frame is; hooks say what to do with cells, functions and generators.

Rule 1: the names that a blob may import are not restricted, so a blob is as much to be trusted
        as its owner: whoever stores blobs seals them, and loads none with a broken seal.
Rule 2: nothing that cannot be rebuilt is saved, and never a code object.
Rule 3: while all goes well, C does the work; the search for what is wrong begins after a failure.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from headrace.frames.values_errors import CannotLoad, CannotSave, Refused
from headrace.frames.values_own import Held, Hook, Own, Reduction, held
from headrace.frames.values_table import TABLE
from headrace.frames.values_walk import culprit

__all__ = ["CannotLoad", "CannotSave", "Dumper", "Held", "Hook", "Loader", "Reduction", "Refused"]

PROTOCOL = 5
HEAD = pickle.PROTO + bytes([PROTOCOL]) + pickle.FRAME
LARGE = 4_096


class Dumper:
    """Saves the variables of frames, one `dump` for each, with one memo for all of them."""

    def __init__(self, own: Own | None = None) -> None:
        """Take the hooks, by exact type; a hook refuses an object by raising `Refused`."""
        self._own = own or {}
        self._out = io.BytesIO()
        self._pickler = _Pickler(self._out, self._own)

    def dump(self, values: Mapping[str, object], slots: Mapping[str, int] | None = None) -> None:
        """Add one frame's variables, or raise CannotSave, after which this dumper is of no use.

        With `slots` they are kept by number, for which the reader knows the names.
        """
        start = self._out.tell()
        try:
            self._pickler.dump(values if slots is None else _numbered(values, slots))
            _slim(self._out, start)
        except Exception as error:
            raise culprit(values, self._own, error, self._alone) from error

    def _alone(self, value: object) -> Exception | None:
        try:
            _Pickler(io.BytesIO(), self._own).dump(value)
        except Exception as error:  # noqa: BLE001 - it is handed back
            return error.with_traceback(None)  # which leads to all that was being saved
        return None

    def blob(self) -> bytes:
        """Return everything that was dumped so far."""
        return self._out.getvalue()


class Loader:
    """Gives back, one `load` for each `dump` and in their order, what a Dumper saved."""

    def __init__(
        self,
        blob: bytes,
        holding: Callable[[Any], object] | None = None,
        instead: Mapping[tuple[str, str], object] | None = None,
    ) -> None:
        """`holding` returns what stands for the id of a `Held`; it is asked as late as can be.

        `instead` has what stands for functions that a blob calls, by their modules and names.
        """
        known = {(held.__module__, held.__name__): holding or held, **(instead or {})}
        self._unpickler = _Unpickler(io.BytesIO(blob), known)

    def load(self, names: Sequence[str] | None = None) -> dict[str, object]:
        """Return the next frame's variables, or raise CannotLoad saying what is not as it was.

        With `names`, those of the numbers by which they were kept.
        """
        try:
            found = self._unpickler.load()
            if names is not None:
                found = {names[number]: value for number, value in found.items()}
            return cast("dict[str, object]", found)
        except CannotLoad:
            raise
        except Exception as error:
            raise CannotLoad(f"a saved value cannot be loaded: {error}") from error


def _numbered(values: Mapping[str, object], slots: Mapping[str, int]) -> dict[int, object]:
    return {slots[name]: value for name, value in values.items()}


def _slim(out: io.BytesIO, start: int) -> None:
    """Take out the length of a small dump, which a reader does not need."""
    dump = out.getvalue()[start:] if out.tell() - start < LARGE else b""
    if dump[:3] == HEAD and int.from_bytes(dump[3:11], "little") == len(dump) - 11:
        out.seek(start)
        out.write(dump[:2] + dump[11:])
        out.truncate()


class _Pickler(pickle.Pickler):
    def __init__(self, out: io.BytesIO, own: Own) -> None:
        super().__init__(out, PROTOCOL)
        self._own = own

    def reducer_override(self, obj: object) -> Any:
        reduce = TABLE[type(obj)]
        return NotImplemented if reduce is None else reduce(obj, self._own)


class _Unpickler(pickle.Unpickler):
    def __init__(self, blob: io.BytesIO, named: Mapping[tuple[str, str], object]) -> None:
        super().__init__(blob)
        self._named = named

    def find_class(self, module: str, name: str) -> Any:
        found = self._named.get((module, name))
        return super().find_class(module, name) if found is None else found
