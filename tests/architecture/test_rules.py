"""Every rule can fail: each is shown what it must catch, and what it must leave alone."""

from textwrap import dedent

import pytest

from tests.architecture import rules
from tests.architecture.rules import MAY_IMPORT, Rule
from tests.architecture.source import Source


def _found(rule: Rule, module: str, text: str) -> list[str]:
    return [finding.what for finding in rule(Source(module, dedent(text)))]


@pytest.mark.parametrize(
    ("module", "text", "what"),
    [
        ("headrace.kernel.model", "import headrace.wire", "kernel imports headrace.wire"),
        ("headrace.kernel.model", "from headrace import ports", "kernel imports headrace.ports"),
        ("headrace.ports.runs", "from ..engine import x", "ports imports headrace.engine.x"),
        ("headrace.engine.api", "from headrace.sdk.task import t", "engine imports headrace.sdk"),
        ("headrace.server.asgi", "from headrace.backends import memory", "server imports headrace"),
        ("headrace.sdk.task", "def f():\n    import headrace.app", "sdk imports headrace.app"),
        ("headrace.worker.loop", "from headrace import task", "worker imports headrace.task"),
        ("headrace.__main__", "import headrace.engine", "cli imports headrace.engine"),
        ("headrace.utils", "", "belongs to no part"),
    ],
)
def test_an_arrow_that_points_up_or_aside_is_found(module: str, text: str, what: str) -> None:
    (found,) = _found(rules.arrows, module, text)
    assert found.startswith(what)


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("headrace.engine.api", "from headrace.kernel import machine\nimport headrace.ports"),
        ("headrace.worker.loop", "from headrace.sdk.task import Task"),
        ("headrace.app", "import headrace.server, headrace.backends.memory, headrace.worker"),
        ("headrace", "from headrace.sdk import task"),
        ("headrace.cli.main", "from headrace import app"),
        ("headrace.kernel.machine", "from . import model\nfrom .model import Run"),
        ("examples.approval", "import headrace.backends.memory"),
    ],
)
def test_an_arrow_that_points_down_is_free(module: str, text: str) -> None:
    assert not _found(rules.arrows, module, text)


def test_the_table_of_parts_has_no_cycle() -> None:
    below = {part: set(targets) for part, targets in MAY_IMPORT.items()}
    while free := [part for part, targets in below.items() if not targets]:
        for part in free:
            del below[part]
        for targets in below.values():
            targets.difference_update(free)
    assert not below


@pytest.mark.parametrize(
    "text",
    [
        "import os",
        "from time import monotonic",
        "import msgspec",
        "x = open('f')",
        "print(1)",
        "async def f(): pass",
        "def f():\n    global x\n    x = 1",
    ],
)
def test_an_impure_kernel_is_found(text: str) -> None:
    assert _found(rules.purity, "headrace.kernel.machine", text)
    assert not _found(rules.purity, "headrace.engine.api", text)


def test_a_pure_kernel_is_free() -> None:
    text = "from dataclasses import dataclass\nimport math\nfrom headrace.kernel.model import Run"
    assert not _found(rules.purity, "headrace.kernel.machine", text)


def test_any_is_found_in_the_lowest_parts_alone() -> None:
    text = "from typing import Any as Whatever\nx: Whatever = 1"
    assert _found(rules.exact_types, "headrace.ports.runs", text) == ["typing.Any"]
    assert not _found(rules.exact_types, "headrace.sdk.task", text)


def test_a_file_a_function_and_a_class_that_grew_are_found() -> None:
    long = "def f():\n" + "    x = 1\n" * rules.FUNCTION_LINES
    assert _found(rules.sizes, "m", long) == [f"{rules.FUNCTION_LINES + 1}"]
    assert _found(rules.sizes, "m", "\n" * (rules.FILE_LINES + 1)) == [f"{rules.FILE_LINES + 1}"]
    methods = "".join(f"    def m{n}(self): ...\n" for n in range(rules.CLASS_VERBS + 1))
    assert _found(rules.sizes, "m", f"class C:\n{methods}") == [f"{rules.CLASS_VERBS + 1}"]


def test_positional_arguments_are_counted_without_self_and_keywords() -> None:
    assert _found(rules.sizes, "m", "def f(a, b, c, d, e, f): ...") == ["6"]
    assert not _found(rules.sizes, "m", "def f(a, b, c, d, e, *, f): ...")
    assert not _found(rules.sizes, "m", "class C:\n    def f(self, a, b, c, d, e): ...")
    static = "class C:\n    @staticmethod\n    def f(a, b, c, d, e, f): ..."
    assert _found(rules.sizes, "m", static) == ["6"]


def test_what_is_just_small_enough_is_free() -> None:
    text = 'def f():\n    """Say."""\n' + "    x = 1\n" * (rules.FUNCTION_LINES - 1)
    assert not _found(rules.sizes, "m", text)
    methods = "".join(f"    def m{n}(self): ...\n" for n in range(rules.CLASS_VERBS))
    spared = "    def _own(self): ...\n    def test_it(self): ...\n    def __len__(self): ...\n"
    assert not _found(rules.sizes, "m", f"class C:\n{methods}{spared}")


@pytest.mark.parametrize("base", ["Protocol", "Protocol[T]"])
def test_a_wide_port_is_found(base: str) -> None:
    verbs = "".join(f"    async def v{n}(self): ...\n" for n in range(rules.PORT_VERBS + 1))
    text = f"from typing import Protocol\nclass Runs({base}):\n{verbs}"
    assert _found(rules.narrow_ports, "headrace.ports.runs", text) == [f"{rules.PORT_VERBS + 1}"]
    assert not _found(rules.narrow_ports, "headrace.engine.api", text)
    assert not _found(rules.narrow_ports, "headrace.ports.runs", text.replace("v10", "_v"))


@pytest.mark.parametrize(
    "text",
    [
        "import asyncio\nasyncio.wait_for(x, 1)",
        "from asyncio import wait_for as patience\npatience(x, 1)",
        "import asyncio as a\na.create_task(x)",
        "import asyncio\nstart = asyncio.ensure_future",
        "import asyncio\nasyncio.get_running_loop().create_task(x)",
        "self._loop.create_task(x)",
        "loop.create_task(x)",
        "import pickle",
        "from marshal import loads",
        "eval('1')",
        "exec('1')",
    ],
)
def test_what_is_banned_is_found(text: str) -> None:
    assert len(_found(rules.bans, "m", text)) == 1


def test_task_groups_and_methods_of_a_banned_name_are_free() -> None:
    text = "async with asyncio.TaskGroup() as tg:\n    tg.create_task(x)\nawait redis.eval(script)"
    assert not _found(rules.bans, "m", text)


def test_what_a_store_can_do_is_asked_in_one_place() -> None:
    text = "from headrace.ports import Extending\nif isinstance(self._streams, Extending): pass"
    assert len(_found(rules.asked_once, "headrace.engine.desk", text)) == 1
    assert not _found(rules.asked_once, "headrace.engine.abilities", text)
    assert not _found(rules.asked_once, "headrace.engine.desk", text.replace("Extending", "Stores"))


@pytest.mark.parametrize(
    "text",
    [
        "import time\ntime.time()",
        "import time\nnow = time.time_ns",
        "from uuid import uuid4\nuuid4()",
        "import random\nrandom.random()",
        "from random import choice\nchoice([1])",
        "import random\nrandom.Random()",
        "import secrets\nsecrets.token_hex()",
        "from datetime import datetime\ndatetime.now()",
        "import datetime\ndatetime.datetime.utcnow()",
        "import os\nos.urandom(8)",
    ],
)
def test_a_clock_or_chance_below_app_is_found(text: str) -> None:
    assert len(_found(rules.no_clock, "headrace.engine.api", text)) == 1
    assert not _found(rules.no_clock, "headrace.app", text)
    assert not _found(rules.no_clock, "headrace.cli.main", text)


def test_chance_that_was_handed_in_is_free() -> None:
    text = "import random\ndef jitter(dice: random.Random): return dice.random()\nrandom.Random(7)"
    assert not _found(rules.no_clock, "headrace.testing.sim", text)


@pytest.mark.parametrize(
    "text",
    [
        "import time\ndef test_x():\n    time.sleep(1)",
        "import anyio\nasync def test_x():\n    await anyio.sleep(0.1)",
        "from unittest.mock import Mock",
        "from unittest import mock",
    ],
)
def test_a_test_that_sleeps_or_mocks_is_found(text: str) -> None:
    assert len(_found(rules.patient_tests, "tests.test_x", text)) == 1


def test_a_test_that_only_lets_others_run_is_free() -> None:
    text = "import anyio\nasync def test_x():\n    await anyio.sleep(0)"
    assert not _found(rules.patient_tests, "tests.test_x", text)
