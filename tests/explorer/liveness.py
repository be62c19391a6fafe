"""Which local variables a suspended coroutine will still read.

What it will not, is of no consequence: it is overwritten, or the frame ends. So it is no part of
what a program remembers (tests/explorer/memory.py). Whatever this does not know of an instruction
lets variables live on.

Owns: the data flow over the bytecode. Must never know: what a state is.
"""

from __future__ import annotations

import dis
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, Protocol

_LOADS: Final = ("LOAD_FAST", "STORE_FAST_LOAD_FAST", "DELETE_FAST")
_ENDS: Final = frozenset({"RETURN_VALUE", "RETURN_CONST", "RAISE_VARARGS", "RERAISE"})
_GOES: Final = frozenset({"JUMP_FORWARD", "JUMP_BACKWARD", "JUMP_BACKWARD_NO_INTERRUPT"})
_LOOKERS: Final = frozenset({"super", "locals", "vars", "eval", "exec", "dir"})
"""Names of what may look at a caller's variables."""


@dataclass(frozen=True, slots=True)
class _Step:
    """One instruction: what it reads, what it overwrites for certain, and what may come next."""

    reads: frozenset[str]
    writes: frozenset[str]
    nexts: tuple[int, ...]


class _Handler(Protocol):
    start: int
    end: int
    target: int


def dead(frame: types.FrameType) -> frozenset[str]:
    """Name the variables that nobody will read when the suspended frame goes on."""
    return _dead_by_place(frame.f_code).get(frame.f_lasti, frozenset())


@cache
def _dead_by_place(code: types.CodeType) -> dict[int, frozenset[str]]:
    own = frozenset(code.co_varnames) - frozenset(code.co_cellvars)
    if not _LOOKERS.isdisjoint(code.co_names):
        return {}
    steps = _steps(code)
    live = dict.fromkeys(steps, frozenset[str]())
    changed = True
    while changed:
        changed = False
        for place, step in reversed(steps.items()):
            after = frozenset[str]().union(*(live.get(then, own) for then in step.nexts))
            now = step.reads | (after - step.writes)
            changed, live[place] = changed or now != live[place], now
    return {place: own - names for place, names in live.items()}


def _steps(code: types.CodeType) -> dict[int, _Step]:
    listed = [*dis.get_instructions(code)]
    handlers = _handlers(code)
    steps = dict[int, _Step]()
    for place, one in enumerate(listed):
        nexts = () if one.opname in _ENDS | _GOES else listed[place + 1 : place + 2]
        found = [then.offset for then in nexts]
        if one.opcode in dis.hasjrel or one.opcode in dis.hasjabs:
            found.append(one.argval)
        found += [target for start, end, target in handlers if start <= one.offset < end]
        steps[one.offset] = _Step(_read(one), _written(one), tuple(found))
    return steps


def _handlers(code: types.CodeType) -> list[tuple[int, int, int]]:
    entries: Sequence[_Handler] = vars(dis.Bytecode(code))["exception_entries"]
    return [(entry.start, entry.end, entry.target) for entry in entries]


def _names(one: dis.Instruction) -> Iterator[str]:
    names: str | tuple[str, ...] = one.argval
    yield from (names,) if isinstance(names, str) else names


def _read(one: dis.Instruction) -> frozenset[str]:
    """Return what it reads; of two variables in one instruction, both may be read."""
    is_reading = one.opname.startswith(_LOADS)
    return frozenset(_names(one)) if is_reading else frozenset()


def _written(one: dis.Instruction) -> frozenset[str]:
    return frozenset(_names(one)) if one.opname == "STORE_FAST" else frozenset()
