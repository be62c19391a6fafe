"""Functions in functions: closures, recursion, decorators, defaults, lambdas."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from tests.frames.rig import case, resumable
from tests.frames.parking import wait


@case("helpers awaited three deep", gives=[1, 2, 3])
async def three_deep() -> object:
    return [1, *await second(2)]


@resumable
async def second(n: int) -> list[int]:
    """Go one deeper."""
    kept = await wait(n)
    return [kept, *await third(n + 1)]


@resumable
async def third(n: int) -> list[int]:
    """Wait."""
    return [await wait(n)]


@case("recursion", gives=[3, 2, 1, 0])
async def recursion() -> object:
    return await down(3)


@resumable
async def down(n: int) -> list[int]:
    """Count down to nothing."""
    here = await wait(n)
    return [here, *await down(n - 1)] if n else [here]


@case("closure: nonlocal counter shared by two functions", gives=(3, 3))
async def nonlocal_counter() -> object:
    count = 0

    def up() -> int:
        nonlocal count
        count += 1
        return count

    up()
    await wait(1)
    up()
    await wait(2)
    return up(), count


@case("closure: nested async function changes the outer's variable", gives=([1, 2], 30))
async def nested_async() -> object:
    seen: list[int] = []
    total = 0

    async def add(n: int) -> None:
        nonlocal total
        total += await wait(n) * 10
        seen.append(n)

    await add(1)
    await add(2)
    return seen, total


@case("closure: suspended in the inner, both see one variable", gives=(7, 7))
async def one_variable() -> object:
    x = 1

    async def inner() -> int:
        nonlocal x
        x = 5
        x += await wait(2)
        return x

    inside = await inner()
    return inside, x


@case("closure: a function made before the wait, called after it", gives=[1, 11, 111])
async def kept_function() -> object:
    k = 1

    def read() -> int:
        return k

    out = [read()]
    await wait(0)
    k += 10
    out.append(read())
    await wait(0)
    k += 100
    return [*out, read()]


@case("closures made in a loop share or do not share, as natively", gives=([2, 2], [0, 1]))
async def loop_closures() -> object:
    shared: list[Callable[[], int]] = []
    own: list[Callable[[], int]] = []
    for n in range(3):
        if n < 2:
            shared.append(lambda: n)
            own.append(functools.partial(int, n))
        await wait(n)
    return [f() for f in shared], [f() for f in own]


@case("closure: two instances of one factory keep their own cells", gives=([1, 2], [10]))
async def two_factories() -> object:
    def adder() -> tuple[Callable[[int], None], list[int]]:
        kept: list[int] = []

        def add(n: int) -> None:
            kept.append(n)

        return add, kept

    one, first = adder()
    two, other = adder()
    one(1)
    await wait(0)
    one(2)
    two(10)
    await wait(0)
    return first, other


@case("a variable that is only bound later, captured already", gives=("unbound", 4))
async def captured_before_bound() -> object:
    def read() -> Any:
        try:
            return later
        except NameError:
            return "unbound"

    before = (await wait(0), read())[1]
    later = await wait(4)
    return before, read()


@case("a recursive local function", gives=120)
async def recursive_local() -> object:
    def factorial(n: int) -> int:
        return 1 if n == 0 else n * factorial(n - 1)

    await wait(0)
    return factorial(5)


@case("a recursive local async function, suspended deep inside", gives=[2, 1, 0])
async def recursive_async_local() -> object:
    async def down_here(n: int) -> list[int]:
        here = await wait(n)
        return [here, *await down_here(n - 1)] if n else [here]

    return await down_here(2)


@case("three levels of functions, nonlocal through the middle", gives=(6, 6))
async def three_levels() -> object:
    x = 1

    async def middle() -> int:
        async def inner() -> None:
            nonlocal x
            x += await wait(2)

        await inner()
        await wait(0)
        await inner()
        return x

    got = await middle()
    return got + 1, x + 1


MADE: list[str] = []


def made() -> int:
    """Say that a default was evaluated."""
    MADE.append("once")
    return 5


@case("defaults: evaluated once, also for keywords", gives=(6, 7, ["once", "once"]))
async def defaults() -> object:
    return await with_defaults(1), await with_defaults(1, 6), MADE


@resumable
async def with_defaults(n: int, m: int = made(), *, k: int = made()) -> int:
    """Add, with defaults."""
    return await wait(n) + m - k + 5


@case("parameters of every kind, changed before the wait", gives=(2, 2, (3, 9), 4, {"m": 5}))
async def parameters() -> object:
    return await every_kind(1, 2, 3, 9, key=4, m=5)


@resumable
async def every_kind(a: int, /, b: int, *rest: int, key: int = 0, **more: int) -> object:
    """Return its parameters."""
    a += 1
    await wait(0)
    return a, b, rest, key, more


@case("a parameter deleted before the wait stays deleted", gives="unbound")
async def parameter_deleted() -> object:
    return await deleting_parameter(1)


@resumable
async def deleting_parameter(gone: int) -> object:
    """Delete its parameter."""
    del gone
    await wait(0)
    try:
        return gone
    except UnboundLocalError:
        return "unbound"


def doubled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Double what it returns."""

    @resumable
    @functools.wraps(function)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        before = await wait(0)
        return 2 * await function(*args, **kwargs) + before

    return wrapper


@doubled
@resumable
async def five(n: int) -> int:
    """Wait for five and more."""
    return 5 + await wait(n)


@case("a decorator of the user's own around a resumable function", gives=12)
async def decorated() -> object:
    return await five(1)


@case("a decorated local function", gives=(8, "inner"))
async def decorated_local() -> object:
    @doubled
    async def inner() -> int:
        return 4

    return await inner(), inner.__name__


@case("functools.partial of a resumable function", gives=[1, 2])
async def partial() -> object:
    pair = functools.partial(pair_of, await wait(1))
    await wait(0)
    return await pair(2)


@resumable
async def pair_of(a: int, b: int) -> list[int]:
    """Return both."""
    return [a, await wait(b)]


@case("a function of the module, and a builtin, in locals", gives=(3, [3]))
async def functions_in_locals() -> object:
    length, make = len, pair_of
    await wait(0)
    return length("abc"), [(await make(3, 0))[0]]


@case("lambda with defaults and a closure", gives=16)
async def lambda_kept() -> object:
    k = 1
    made = lambda a, b=10: a + b + k
    await wait(0)
    return made(5)


@case("a coroutine made before the wait and awaited after it", gives=(1, 2))
async def awaited_later() -> object:
    later = third(2)
    now = await wait(1)
    return now, (await later)[0]


@case("locals() shows the user's names", gives=["a", "b"])
async def own_locals() -> object:
    a, b = 1, await wait(2)
    assert a < b
    return sorted(locals())


@case("functions nested in an if, a loop and a with", gives=[0, 1, 2])
async def nested_in_blocks() -> object:
    out: list[int] = []
    for n in range(3):
        if n >= 0:

            async def inner(m: int = n) -> int:
                return await wait(m)

            out.append(await inner())
    return out


@case("two functions of one name, one after the other", gives=("one", "two"))
async def same_name() -> object:
    async def inner() -> str:
        return await wait("one")

    first = await inner()

    async def inner() -> str:
        return await wait("two")

    return first, await inner()
