"""One half of the matrix's proof, in a process of its own.

    FRAMES_MODE=native    python -m tests.frames.halves run FILE
    FRAMES_MODE=decorator python -m tests.frames.halves save FILE
    FRAMES_MODE=decorator python -m tests.frames.halves resume FILE

With FRAMES_MODE=kept, the functions of the second half are as good as changed.

`run` gives every case its answers; `save` does too, and saves at every suspension and puts away at
every suspension; `resume` takes those up and goes on to the end, half of them by way of another
save. Each prints what came of it as JSON.
"""

from __future__ import annotations

import asyncio
import base64
import gc
import importlib
import json
import pkgutil
import sys
from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path
from types import CodeType
from typing import Any, Final, cast

from headrace import frames
from headrace.frames import rebuilding
from headrace.frames.registry import Ref
from tests.frames.parking import Coro, Parked, again, answered, token
from tests.frames.quiet import effects_of
from tests.frames.rig import CASES, MODE, Case, Refused

CASES_IN: Final = "tests.frames.cases"
NEWER: Final = {"since_3_12": (3, 12), "since_3_14": (3, 14)}
Answer = dict[str, Any]
Seen = Callable[[Coro, object], None]


def load(folder: Path) -> None:
    """Import every case, as FRAMES_MODE says."""
    if MODE in {"hook", "kept"}:
        frames.install(lambda name, _: name.startswith(f"{CASES_IN}."))
    package = importlib.import_module(CASES_IN)
    package.__path__.append(str(folder))
    for name, version in NEWER.items():
        if sys.version_info >= version:
            # No file of the project may have what an older Python cannot read.
            source = Path(__file__).with_name("newer") / f"{name}.txt"
            (folder / f"{name}.py").write_text(source.read_text("utf-8"), "utf-8")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{CASES_IN}.{module.name}")


class Driven:
    """Answers what a coroutine waits for; what is not ours goes to the event loop."""

    def __init__(self, coroutine: Coro, at_each: Seen) -> None:
        self.coroutine = coroutine
        self.at_each = at_each

    def __await__(self) -> Generator[Any, Any, object]:
        try:
            at: object = self.coroutine.send(None)
            while True:
                self.at_each(self.coroutine, at)
                go_on = yield from self._answer(at)
                at = go_on()
        except StopIteration as over:
            return over.value

    def _answer(self, at: object) -> Generator[Any, Any, Callable[[], object]]:
        if isinstance(at, Parked):
            return partial(answered, self.coroutine, cast("Parked[object]", at))
        try:
            given = yield at
        except BaseException as error:  # noqa: BLE001 - it is passed on
            return partial(self.coroutine.throw, error)
        return partial(self.coroutine.send, given)


async def _awaited(driven: Driven) -> object:
    return await driven


def whole(one: Case, coroutine: Coro, at_each: Seen) -> object:
    """Drive a case's coroutine to its end."""
    driving = _awaited(Driven(coroutine, at_each))
    if one.in_loop:
        return asyncio.run(driving)
    try:
        driving.send(None)
    except StopIteration as over:
        return over.value
    raise AssertionError(f"{one.name} waits for an event loop")


def _coroutine(one: Case) -> Coro:
    if isinstance(one.function, frames.NotResumable):
        raise one.function
    return cast("Coro", one.function())


def run(one: Case) -> Answer:
    """Just run it, where it must not be refused; say what must come of it."""
    told: Answer = {"theme": one.theme, "construct": one.construct, "gives": repr(one.gives)}
    if isinstance(one.gives, Refused):
        return told | {"naming": one.gives.naming}
    result = repr(whole(one, _coroutine(one), lambda _, __: None))
    return told | {"naming": (), "result": result}


def save(one: Case) -> Answer:
    """Run it, saving at every suspension; then put it away at every suspension."""
    if isinstance(one.function, frames.NotResumable):
        return {"not_resumable": str(one.function)}
    saved: list[str] = []

    def at_each(coroutine: Coro, at: object) -> None:
        if isinstance(at, Parked) or isinstance(one.gives, Refused):
            saved.append(base64.b64encode(_bytes(coroutine)).decode())

    try:
        result = repr(whole(one, _coroutine(one), at_each))
    except frames.NotSaved as refusal:
        return {"not_saved": str(refusal)}
    away = [effect for at in range(len(saved)) for effect in _put_away(one, at)]
    return {"saved": saved, "result": result, "effects": away}


def _bytes(coroutine: Coro) -> bytes:
    return bytes(frames.save(coroutine, token, takes_sources=MODE == "kept"))


class _Away(Exception):
    """The case was put away where that was to be tried."""


def _put_away(one: Case, at: int) -> list[str]:
    left = [at]
    found: list[str] = []

    def at_each(coroutine: Coro, at: object) -> None:
        left[0] -= isinstance(at, Parked)
        if left[0] < 0:
            found.extend(effects_of(lambda: frames.put_away(coroutine)))
            raise _Away

    try:
        whole(one, _coroutine(one), at_each)
    except _Away:
        return found
    raise AssertionError(f"{one.name} has no suspension {at}")


def resume(one: Case, saved: list[str]) -> Answer:
    """Take up every save, and go on to the end."""
    blobs = [base64.b64decode(text) for text in saved]
    return {"results": [_resumed(one, blob, hops) for blob in blobs for hops in (1, 2)]}


def _resumed(one: Case, saved: bytes, hops: int) -> str:
    coroutine = cast("Coro", frames.restore(saved, again))
    if hops > 1 and not one.in_loop:
        coroutine.send(None)
        saved = _bytes(coroutine)
        frames.put_away(coroutine)
        coroutine = cast("Coro", frames.restore(saved, again))
    try:
        return repr(whole(one, coroutine, lambda _, __: None))
    except Exception as error:  # noqa: BLE001 - it is what came of it
        return f"raised {type(error).__name__}: {error}"


def _half(what: str, file: Path) -> dict[str, Answer]:
    if what == "resume":
        if MODE == "kept":
            rebuilding.code_at = _changed
        before = json.loads(file.read_text("utf-8"))
        return {
            name: _guarded(partial(resume, saved=answer["saved"]), CASES[name])
            for name, answer in before.items()
            if "saved" in answer
        }
    if what == "run":
        return {one.name: run(one) for one in CASES.values()}
    return {one.name: _guarded(save, one) for one in CASES.values()}


def _changed(ref: Ref) -> CodeType:
    importlib.import_module(ref.module)
    raise frames.SourceChanged(ref.qualname, ref.module)


def _guarded(done: Callable[[Case], Answer], one: Case) -> Answer:
    try:
        return done(one)
    except Exception as error:  # noqa: BLE001 - the matrix shows it
        return {"raised": f"{type(error).__name__}: {error}"}


def main(what: str, file: Path) -> None:
    """Do one half; write what came of it."""
    folder = file.with_suffix("")
    folder.mkdir(exist_ok=True)
    load(folder)
    gc.freeze()  # so that looking for garbage after each case is quick
    answers = _half(what, file)
    file.with_suffix(f".{what}.json").write_text(json.dumps(answers), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
