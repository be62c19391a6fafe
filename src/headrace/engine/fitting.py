"""How a run would go on with the newest code of its task, as far as can be told from outside.

Owns: the verdict and its sentence. Must never know: what is in a snapshot, or how one is used; the
worker that takes the run up decides.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import UNSET

from headrace.engine.core import Core
from headrace.kernel import machine
from headrace.kernel.model import Blocked, Footing, Function, Over, Run
from headrace.ports import Code
from headrace.wire.channel import FUNCTIONS_AT_MOST
from headrace.wire.views import CodeView, Fits


async def fitting(core: Core, run: Run) -> CodeView | None:
    """Say how the run goes on; of one that is over there is nothing to say."""
    if isinstance(run.state, Over):
        return None
    newest = await core.specs.code(run.env, run.task)
    footing = None
    if run.saved is not None:
        footing = await core.stores.snapshots.footing(run.id, run.saved)
    fits, why = _verdict(run, newest, footing)
    return CodeView(
        fits=fits,
        why=why,
        version=run.code or UNSET,
        newest=UNSET if newest is None else newest.version,
    )


def _verdict(run: Run, newest: Code | None, footing: Footing | None) -> tuple[Fits, str]:
    if newest is None:
        return "unknown", f"no worker has registered task {run.task!r}"
    if isinstance(run.state, Blocked):
        return "blocked", "the code that took it up last does not fit what it has recorded"
    if run.epoch == 0:
        return "same", "it has not begun: it will on the newest code"
    if run.saved is None:
        return _replayed(run, newest)
    if footing is None or not newest.python:
        return _by_version(run, newest)
    return _standing(run, newest, footing)


def _by_version(run: Run, newest: Code) -> tuple[Fits, str]:
    if run.code == newest.version:
        return "same", "it started on the newest code"
    return "unknown", "a worker has not said which functions its code is made of"


def _replayed(run: Run, newest: Code) -> tuple[Fits, str]:
    if run.code == newest.version:
        return "same", "it started on the newest code"
    if machine.holder(run) is not None:
        return "replays", (
            "it is in the memory of a worker; a worker with the newest code that takes it up "
            f"replays {_entries(run)}"
        )
    return "replays", f"it is not saved: the newest code replays {_entries(run)}"


def _standing(run: Run, newest: Code, footing: Footing) -> tuple[Fits, str]:
    if footing.python != newest.python:
        what = f"it was saved by Python {footing.python}, the newest code runs on {newest.python}"
        return _again(run, what)
    others = [one for one in footing.functions if not _is_there(one, newest)]
    if not others and run.code == newest.version:
        return "same", "it started on the newest code"
    if not others:
        return "continues", (
            "the code has changed since it started, but none of the functions that it waits in: "
            "it goes on where it was saved"
        )
    surely = [one for one in others if one.name in newest.functions or _is_gone(one, newest)]
    if not surely:
        return "unknown", f"the newest worker has not said what {_called(others[0])} is now"
    has = "has changed" if surely[0].name in newest.functions else "is gone"
    what = f"{_called(surely[0])} {has} since it was saved"
    if footing.keeps:
        return "kept", f"{what}: it goes on with the source that was saved with it"
    return _again(run, what)


def _again(run: Run, what: str) -> tuple[Fits, str]:
    """Say what becomes of a run whose snapshot is of no use."""
    if run.base == 0:
        return "replays", f"{what}: the newest code replays {_entries(run)}"
    return "blocked", (
        f"{what}, and {run.base} entries of its journal have been dropped for the snapshot: "
        "it goes on when that code is back"
    )


def _entries(run: Run) -> str:
    return f"{run.entries} {'entry' if run.entries == 1 else 'entries'}"


def _is_there(one: Function, newest: Code) -> bool:
    return newest.functions.get(one.name) == one.fingerprint


def _is_gone(one: Function, newest: Code) -> bool:
    """Tell whether a function that is not told of is no more: all of its module are told."""
    if len(newest.functions) >= FUNCTIONS_AT_MOST:
        return False
    return _module(one.name) in _modules(newest.functions)


def _modules(names: Iterable[str]) -> set[str]:
    return {_module(name) for name in names}


def _module(name: str) -> str:
    return name.partition(":")[0]


def _called(one: Function) -> str:
    module, _, qualname = one.name.partition(":")
    return f"{qualname.partition('#')[0]}() in {module}"
