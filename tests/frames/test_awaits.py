"""Expressions with awaits keep Python's order of evaluation, also when they are resumed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.frames.written import load, outcome, same_everywhere

PROLOGUE = """
    class Noting:
        def __init__(self, name, value=1): self.name, self.value = name, value
        def __bool__(self): seen.append(("bool", self.name)); return bool(self.value)
        def __add__(self, other): seen.append(("add", self.name)); return self
        def __iadd__(self, other): seen.append(("iadd", self.name)); return self
        def __lt__(self, other):
            seen.append(("lt", self.name))
            return Noting(self.name + "<", self.value)
        def __getitem__(self, key): seen.append(("get", self.name, str(key))); return 1
        def __setitem__(self, key, value): seen.append(("set", self.name, str(key), str(value)))
        def __delitem__(self, key): seen.append(("del", self.name, str(key)))
        def __getattr__(self, name):
            if name.startswith("__") or name in ("name", "value"): raise AttributeError(name)
            seen.append(("attr", self.name, name))
            return lambda *a, **k: (seen.append("call"), a, sorted(k))[1:]
        def __format__(self, spec): seen.append(("format", self.name, spec)); return self.name
        def __iter__(self): seen.append(("iter", self.name)); return iter((1, 2))
        def keys(self): seen.append(("keys", self.name)); return ["m"]
        def __hash__(self): seen.append(("hash", self.name)); return 1
        def __str__(self): return self.name
        def __repr__(self): return self.name
        def __reduce__(self): return (Noting, (self.name, self.value))

    def n(name, value=1):
        seen.append(name)
        return Noting(name, value)
"""
EXPRESSIONS = [
    "n('f').call(n('a'), await wait(1), n('b'), k=n('c'), j=await wait(2), **n('m'))",
    "n('f').call(*n('a'), await wait(1), *await wait((1, 2)), n('b'))",
    "str(n('a', 0) and await wait(1)), str(n('b') and await wait(2))",
    "str(n('a', 0) or n('b') and await wait(0) or n('c'))",
    "str(await wait(0) or n('b', 0) or await wait(3))",
    "1 if n('a') and (await wait(0) or n('b', 0)) else await wait(2)",
    "(await wait(1)) if n('t', 0) else n('e').name",
    "str(n('a') < n('b') < await wait(3)), str(n('a', 0) < n('b') < await wait(3))",
    "str(n('a') < n('b') < (await wait(2) and n('e')) < await wait(3))",
    "f\"{n('a')!s:>{await wait(3)}}{n('b'):x}{await wait(1)}{n('c')}\"",
    "{n('a').name: await wait(1), **{'z': n('b').name}, n('c').name: await wait(2)}",
    "len({n('a'), await wait(1), n('b')})",
    "(n('a') + await wait(1)).name + (n('b') + await wait(2)).name",
    "n('a')[n('b'):await wait(2):n('c')], n('a')[await wait(1), n('b'):n('c'), await wait(3)]",
    "[x := await wait(1), x, (x := 5), await wait(2), x]",
    "[y for y in await wait([1, 2])], [await wait(y) for y in n('i')]",
    "{await wait(a): b async for a, b in pairs() if await wait(b)}",
    "(await wait(lambda: n('called').name))()",
    "-await wait(1), not await wait(0), (await wait([[1]]))[0]",
]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_is_evaluated_in_order(expression: str, tmp_path: Path) -> None:
    text = f"""{PROLOGUE}
    @resumable
    async def pairs():
        for n in (1, 2):
            yield n, await wait(n)

    @resumable
    async def main():
        return {expression}
    """
    if "lambda" in expression:
        text = text.replace("lambda: n('called').name", "str")
    assert same_everywhere(tmp_path, text)[0] == "gave"


STATEMENTS = [
    "o = n('o'); o.x.y = await wait(1)",
    "n('o')[n('k')] = n('p')[await wait(2)] = await wait(1)",
    "(n('o')[await wait(1)], *rest), z = (1, 2, 3), await wait(4)",
    "o = n('o'); o += await wait(1); seen.append(o.name)",
    "n('o')[n('k')] += await wait(1)",
    "n('o')[await wait(1)] += await wait(2)",
    "del n('o')[await wait(1)], n('p')[n('k')]",
    "assert n('a', 0), str(await wait('message'))",
    "assert await wait(1), n('never')",
    "raise await wait(ValueError) from await wait(KeyError('cause'))",
    "x: n('never') = await wait(1); seen.append(x)",
    "a = b = n('v').name + str(await wait(1)); seen.append((a, b))",
]


@pytest.mark.parametrize("statement", STATEMENTS)
def test_a_statement_is_done_in_order(statement: str, tmp_path: Path) -> None:
    text = f"{PROLOGUE}\n    @resumable\n    async def main():\n        {statement}\n"
    same_everywhere(tmp_path, text)


def test_a_variable_of_a_closure_is_read_before_what_changes_it(tmp_path: Path) -> None:
    text = """
    @resumable
    async def main():
        x = 1
        async def change(by):
            nonlocal x
            x += await wait(by)
            return x
        x += x * (await change(5)) + x
        return [x, await change(1), x]
    """
    assert same_everywhere(tmp_path, text)[1] == "[13, 14, 14]"


def test_a_definition_waits_in_its_decorator_its_defaults_and_its_bases(tmp_path: Path) -> None:
    text = """
    def plus(by):
        return lambda function: lambda *a: function(*a) + by

    @resumable
    async def main():
        @plus(await wait(10))
        def added(x, y=await wait(2), *, z=3):
            return x + y + z
        class Made(await wait(dict), **{"metaclass": await wait(type)}):
            kept = 4
        return added(1), Made.kept + (not Made())
    """
    assert _transformed(tmp_path, text) == ("gave", "(16, 5)", [])


def _transformed(folder: Path, text: str) -> tuple[object, ...]:
    """Run it as it is and transformed: a local class cannot be saved."""
    native = outcome(load(folder, text, lambda function: function))
    assert outcome(load(folder, text)) == native
    return native
