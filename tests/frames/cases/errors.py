"""What an exception carries with it: cause, context, notes, groups, attributes."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.frames.rig import case, resumable
from tests.frames.parking import wait


class Refusal(Exception):
    """Cannot be made again from its args."""

    def __init__(self, code: int, *, hint: str) -> None:
        super().__init__(f"{code}: {hint}")
        self.code = code
        self.hint = hint


@case("an exception in a local: class, args, attributes", gives=(7, "h", "7: h"))
async def error_in_local() -> object:
    kept = Refusal(7, hint="h")
    await wait(1)
    return kept.code, kept.hint, str(kept)


@case("cause, context, suppression and notes survive", gives=("C", "X", True, ["n"]))
async def error_chain() -> object:
    kept: Any = None
    try:
        try:
            raise KeyError("X")
        except KeyError:
            raise ValueError("v") from RuntimeError("C")
    except ValueError as error:
        error.add_note("n")
        kept = error
    await wait(1)
    shown = (str(kept.__cause__), kept.__context__.args[0])
    return *shown, kept.__suppress_context__, kept.__notes__


@case("context of an error raised in a handler after the await", gives="ValueError('v')")
async def context_after_await() -> object:
    try:
        try:
            raise ValueError("v")
        except ValueError:
            await wait(1)
            raise KeyError("k")
    except KeyError as error:
        return repr(error.__context__)


@case("context two handlers deep", gives=["KeyError", "ValueError", "TypeError"])
async def context_two_deep() -> object:
    names: list[str] = []
    try:
        try:
            raise TypeError
        except TypeError:
            await wait(0)
            try:
                raise ValueError
            except ValueError:
                await wait(1)
                raise KeyError
    except KeyError as error:
        cause: BaseException | None = error
        while cause is not None:
            names.append(type(cause).__name__)
            cause = cause.__context__
    return names


@case("raise from None after an await", gives=(None, True))
async def from_none() -> object:
    try:
        try:
            raise ValueError
        except ValueError:
            await wait(1)
            raise KeyError from None
    except KeyError as error:
        return error.__cause__, error.__suppress_context__


@case("context: a helper's error, raised while the caller handles one", gives="ValueError")
async def context_across_frames() -> object:
    try:
        try:
            raise ValueError
        except ValueError:
            await failing()
    except KeyError as error:
        return type(error.__context__).__name__


@resumable
async def failing() -> None:
    """Wait, then fail."""
    await wait(1)
    raise KeyError


@case("a bare raise in a helper raises what the caller handles", gives="ValueError")
async def bare_raise_across_frames() -> object:
    try:
        try:
            raise ValueError
        except ValueError:
            await raising_again()
    except ValueError as error:
        return type(error).__name__


@resumable
async def raising_again() -> None:
    """Raise what is being handled."""
    await wait(1)
    raise


@case("an exception group in a local", gives=("g", ["ValueError", "Refusal"]))
async def group_in_local() -> object:
    kept = ExceptionGroup("g", [ValueError(1), Refusal(1, hint="x")])
    await wait(1)
    return kept.message, [type(error).__name__ for error in kept.exceptions]


@case("CancelledError thrown in, cleaned up after, passed on", gives=["cleaned", "cancelled"])
async def cancelled() -> object:
    out: list[str] = []
    try:
        try:
            await wait(asyncio.CancelledError())
        finally:
            out.append(await wait("cleaned"))
    except asyncio.CancelledError:
        out.append("cancelled")
    return out


@case("the identity of an error held twice", gives=True)
async def error_identity() -> object:
    held: list[BaseException] = []
    try:
        raise ValueError
    except ValueError as error:
        held.append(error)
        await wait(1)
        return held[0] is error
    return None
