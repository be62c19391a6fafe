"""What engines tell each other beside "this run has changed".

Owns: how that is written; a store passes it on like the id of a run, and no run has such an id.
Must never know: who tells, and what follows.

Rule: what is not understood is of a newer server, and means nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias, assert_never

from headrace.kernel.model import EnvId, RunId, StreamId, TaskId, WorkerId

MARK: Final = "?"


@dataclass(frozen=True, slots=True)
class Left:
    """Runs of the task were left queued: there is no room for them where this is said."""

    env: EnvId
    task: TaskId


@dataclass(frozen=True, slots=True)
class Seated:
    """The worker has sat down here, on its seat of this number: it sits nowhere else."""

    worker: WorkerId
    number: int


@dataclass(frozen=True, slots=True)
class Here:
    """An engine is there. `is_new`: and would like to know who else is."""

    is_new: bool


@dataclass(frozen=True, slots=True)
class Grown:
    """The run has new records, in these of its input streams; nothing else about it has changed."""

    run: RunId
    streams: frozenset[StreamId]


@dataclass(frozen=True, slots=True)
class Written:
    """The run was written, and has new records in these of its input streams; in no other."""

    run: RunId
    streams: frozenset[StreamId]


@dataclass(frozen=True, slots=True)
class Declared:
    """Tasks or streams of an environment have been declared."""

    env: EnvId


Hint: TypeAlias = Left | Seated | Here | Grown | Written | Declared


def said(hint: Hint) -> RunId:
    """Write a hint down."""
    match hint:
        case Left(env, task):
            return RunId(f"{MARK}left\n{env}\n{task}")
        case Seated(worker, number):
            return RunId(f"{MARK}seat\n{number}\n{worker}")
        case Here(is_new):
            return RunId(f"{MARK}here\n{'new' if is_new else ''}\n")
        case Grown(run, streams):
            return RunId("\n".join([f"{MARK}more", run, *sorted(streams)]))
        case Written(run, streams):
            return RunId("\n".join([f"{MARK}news", run, *sorted(streams)]))
        case Declared(env):
            return RunId(f"{MARK}spec\n{env}\n")
        case _:
            assert_never(hint)


def heard(text: RunId) -> Hint | None:
    """Read a hint; `None` where it is about a run, or of a newer server."""
    if not text.startswith(MARK):
        return None
    match text[len(MARK) :].split("\n"):
        case ["left", env, task]:
            return Left(EnvId(env), TaskId(task))
        case ["seat", number, worker] if number.isdecimal():
            return Seated(WorkerId(worker), int(number))
        case ["here", new, ""]:
            return Here(is_new=new == "new")
        case ["more", run, *streams]:
            return Grown(RunId(run), _names(streams))
        case ["news", run, *streams]:
            return Written(RunId(run), _names(streams))
        case ["spec", env, ""]:
            return Declared(EnvId(env))
        case _:
            return None


def _names(lines: list[str]) -> frozenset[StreamId]:
    return frozenset(map(StreamId, lines))
