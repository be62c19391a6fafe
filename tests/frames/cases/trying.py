"""try, except, else and finally: awaits in each, left in every way."""

from __future__ import annotations

import sys
from typing import Any

from tests.frames.rig import case
from tests.frames.parking import wait


@case("await in try, finally without one", gives=[1, "finally"])
async def in_try() -> object:
    out: list[Any] = []
    try:
        out.append(await wait(1))
    finally:
        out.append("finally")
    return out


@case("await in except, in else, in finally", gives=["v", 2, 3, "no error", 4, 5])
async def in_each() -> object:
    out: list[Any] = []
    for fails in (True, False):
        try:
            if fails:
                raise ValueError("v")
        except ValueError as error:
            out.append(str(error))
            out.append(await wait(2))
        else:
            out.append("no error")
            out.append(await wait(4))
        finally:
            out.append(await wait(3 if fails else 5))
    return out


@case("an error thrown in at an await finds its handler", gives=["KeyError", 1])
async def thrown_in() -> object:
    out: list[Any] = []
    try:
        await wait(KeyError("k"))
    except ValueError:
        out.append("wrong")
    except (KeyError, IndexError) as error:
        out.append(type(error).__name__)
        out.append(await wait(1))
    return out


@case("bare except, await in it, bare raise", gives=("ValueError('v')", 1))
async def bare_raise() -> object:
    n = 0
    try:
        try:
            raise ValueError("v")
        except:
            n = await wait(1)
            raise
    except ValueError as error:
        return repr(error), n


@case("bare raise after the handler's own inner try", gives="outer")
async def bare_raise_after_inner() -> object:
    try:
        try:
            raise ValueError("outer")
        except ValueError:
            try:
                raise KeyError("inner")
            except KeyError:
                await wait(1)
            await wait(2)
            raise
    except ValueError as error:
        return str(error)


@case("sys.exc_info in a handler, before and after an await", gives=[True, True, True])
async def exc_info() -> object:
    out: list[bool] = []
    try:
        raise ValueError
    except ValueError as error:
        out.append(sys.exc_info()[1] is error)
        await wait(1)
        out.append(sys.exc_info()[1] is error)
    await wait(2)
    out.append(sys.exc_info()[1] is None)
    return out


@case("the handler's name is unbound after it", gives="unbound")
async def name_deleted() -> object:
    try:
        raise ValueError
    except ValueError as error:
        await wait(1)
    try:
        return error
    except UnboundLocalError:
        return "unbound"


@case("the handler's name rebound and deleted inside it", gives=(1, "unbound"))
async def name_rebound() -> object:
    got: Any = None
    try:
        raise ValueError
    except ValueError as error:
        error = await wait(1)
        got = error
        del error
        await wait(2)
    return got, "unbound" if "error" not in dir() else "bound"


@case("await in finally while an error passes", gives=("KeyError('k')", 1))
async def finally_passing() -> object:
    n = 0
    try:
        try:
            raise KeyError("k")
        finally:
            n = await wait(1)
    except KeyError as error:
        return repr(error), n


@case("await in finally while a return passes", gives=([1, 2], "result"))
async def finally_returning() -> object:
    out: list[Any] = []

    async def inner() -> str:
        try:
            out.append(await wait(1))
            return "result"
        finally:
            out.append(await wait(2))

    result = await inner()
    return out, result


@case("the value of a return is computed before finally, and kept", gives=(1, 2))
async def finally_keeps_value() -> object:
    x = 1
    try:
        return x, (x := 2)
    finally:
        x = await wait(3)


@case("await in finally while break and continue pass", gives=["c0", "f0", "c1", "f1", "b2", "f2"])
async def finally_loops() -> object:
    out: list[Any] = []
    for n in range(5):
        try:
            if await wait(n) == 2:
                out.append(f"b{n}")
                break
            out.append(f"c{n}")
            continue
        finally:
            out.append(await wait(f"f{n}"))
    return out


@case("return in finally swallows the error", gives=("finally", 1))
async def finally_swallows() -> object:
    n = 0
    try:
        raise ValueError
    finally:
        n = await wait(1)
        return await wait("finally"), n


@case("break in finally swallows the error", gives=["after", 1])
async def finally_breaks() -> object:
    n = 0
    while True:
        try:
            raise ValueError
        finally:
            n = await wait(1)
            break
    return ["after", n]


@case("continue in finally overrides a return", gives=["f", "f", "end"])
async def finally_continues() -> object:
    out: list[Any] = []
    for n in range(2):
        try:
            if await wait(n) < 9:
                return "wrong"
        finally:
            out.append(await wait("f"))
            continue
    return [*out, "end"]


@case("return in finally overrides a return in try", gives="finally")
async def finally_overrides() -> object:
    try:
        return await wait("try")
    finally:
        return await wait("finally")


@case("finally in finally in finally, returns through all", gives=([1, 2, 3], "r"))
async def finally_nested() -> object:
    out: list[Any] = []

    async def inner() -> str:
        try:
            try:
                try:
                    return await wait("r")
                finally:
                    out.append(await wait(1))
            finally:
                out.append(await wait(2))
        finally:
            out.append(await wait(3))

    return out, await inner()


@case("try in finally, its own error handled", gives=(["f", "KeyError"], "ValueError('v')"))
async def try_in_finally() -> object:
    out: list[Any] = []
    try:
        try:
            raise ValueError("v")
        finally:
            out.append(await wait("f"))
            try:
                await wait(KeyError("k"))
            except KeyError as error:
                out.append(type(error).__name__)
    except ValueError as error:
        return out, repr(error)


@case(
    "an error in finally replaces the one that passes", gives=("KeyError('k')", "ValueError('v')")
)
async def finally_replaces() -> object:
    try:
        try:
            raise ValueError("v")
        finally:
            await wait(1)
            await wait(KeyError("k"))
    except KeyError as error:
        return repr(error), repr(error.__context__)


@case("the error of a handler passes its own finally", gives=([1, 2], "KeyError('k')"))
async def handler_error_passes() -> object:
    out: list[Any] = []
    try:
        try:
            await wait(ValueError("v"))
        except ValueError:
            out.append(await wait(1))
            raise KeyError("k")
        finally:
            out.append(await wait(2))
    except KeyError as error:
        return out, repr(error)


@case("else runs outside the handlers' reach", gives=("ValueError('else')", "finally"))
async def else_not_handled() -> object:
    try:
        try:
            await wait(1)
        except ValueError:
            return "wrong"
        else:
            await wait(2)
            raise ValueError("else")
        finally:
            last = await wait("finally")
    except ValueError as error:
        return repr(error), last


@case("return out of a handler through an awaiting finally", gives=("handler", "finally"))
async def return_from_handler() -> object:
    out: list[Any] = []

    async def inner() -> Any:
        try:
            raise ValueError
        except ValueError:
            return await wait("handler")
        finally:
            out.append(await wait("finally"))

    return await inner(), out[0]


@case("try in a loop, retried", gives=(["ValueError", "ValueError"], "done"))
async def retried() -> object:
    failures: list[Any] = []
    while True:
        try:
            if len(failures) < 2:
                await wait(ValueError())
            return failures, await wait("done")
        except ValueError as error:
            failures.append(type(error).__name__)
            await wait("pause")


@case("except with an awaited class; handlers' types are not evaluated early", gives="KeyError")
async def handler_types_late() -> object:
    kinds: list[Any] = []
    try:
        kinds.append(KeyError)
        await wait(KeyError())
    except kinds[0] as error:
        await wait(1)
        return type(error).__name__


@case("except*: groups are split, awaits in the handlers", gives=["ValueError", "KeyError", 2])
async def except_star() -> object:
    out: list[Any] = []
    try:
        raise ExceptionGroup("g", [ValueError(1), KeyError(2)])
    except* ValueError as group:
        out.append(type(group.exceptions[0]).__name__)
        await wait(1)
    except* KeyError as group:
        out.append(type(group.exceptions[0]).__name__)
        out.append(await wait(2))
    return out


@case("except*: await in try only, what is left goes on", gives=("rest", 1))
async def except_star_rest() -> object:
    out: list[Any] = []
    try:
        try:
            out.append(await wait(1))
            raise ExceptionGroup("rest", [ValueError(1), KeyError(2)])
        except* ValueError:
            pass
    except ExceptionGroup as group:
        return group.message, len(group.exceptions)


@case("a try without any await beside ones with", gives=["plain", 1, "plain"])
async def plain_try() -> object:
    out: list[Any] = []
    for n in range(2):
        try:
            int("x")
        except ValueError:
            out.append("plain")
        if not n:
            out.append(await wait(1))
    return out
