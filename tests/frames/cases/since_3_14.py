"""What the language has since Python 3.14; not looked at by an older one."""

from tests.frames.rig import case
from tests.frames.parking import wait


@case("except with several classes and no parentheses", gives="KeyError")
async def bare_tuple_of_classes() -> object:
    try:
        await wait(KeyError())
    except ValueError, KeyError:
        await wait(1)
        return "KeyError"


@case("t-string with awaits", gives=["a", 1, "b"])
async def template() -> object:
    made = t"a{await wait(1)}b"
    return [made.strings[0], made.interpolations[0].value, made.strings[1]]


@case("annotations that are evaluated late", gives=3)
async def late_annotations() -> object:
    value: undefined_name = await wait(3)
    return value
