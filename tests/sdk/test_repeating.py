"""What `@task` warns of: calls that a replay would answer otherwise, and nothing else."""

import ast
import importlib.util
import subprocess
import sys
import warnings
from pathlib import Path
from textwrap import dedent, indent

import pytest

import headrace
from headrace.sdk.unrepeatable import Found, Module

IMPORTS = dedent(
    """
    import datetime as dt
    import os, random, secrets, time, uuid
    from datetime import UTC, date, datetime, timedelta
    from random import randint as roll
    from time import time as now
    from uuid import uuid4
    from headrace import step, streams, task, wait
    import headrace as hr
    """
)
WARNED = {
    "time.time()": "time.time()",
    "now()": "now()",
    "time.time_ns()": "time.time_ns()",
    "datetime.now(UTC)": "datetime.now()",
    "dt.datetime.utcnow()": "dt.datetime.utcnow()",
    "dt.date.today()": "dt.date.today()",
    "date.today()": "date.today()",
    "random.random()": "random.random()",
    "roll(1, 6)": "roll()",
    "secrets.token_hex()": "secrets.token_hex()",
    "uuid4()": "uuid4()",
    "uuid.uuid1()": "uuid.uuid1()",
    "os.urandom(8)": "os.urandom()",
    "[random.choice(x) for x in 'ab']": "random.choice()",
    "print(f'{time.time()}')": "time.time()",
    "await save(uuid4())": "uuid4()",
    "step('s', save)(uuid4())": "uuid4()",
    "import time as t; t.time()": "t.time()",
    "open('f', 'w')": "open(…, 'w')",
    "open('f', mode='ab')": "open(…, 'ab')",
    "with open('f', 'x') as f: pass": "open(…, 'x')",
    "await wait.for_(random.randint(1, 9))": "random.randint()",
    "until = datetime.now(UTC)": "datetime.now()",
}
QUIET = [
    "time.monotonic(); time.perf_counter(); time.sleep(0)",
    "datetime(2030, 1, 1); datetime.fromisoformat('2030-01-01'); timedelta(days=1)",
    "random.Random(7).random(); random.seed(7)",
    "secrets.compare_digest('a', 'b')",
    "uuid.uuid5(uuid.NAMESPACE_URL, 'a'); uuid.UUID(int=1)",
    "os.getpid(); os.environ['A']",
    "open('f'); open('f', 'rb'); open('f', mode)",
    "await step('now', time.time)",
    "await step('id', lambda: str(uuid4()))",
    "await hr.step('dice', lambda: random.randint(1, 6))",
    "@step\nasync def dice(): return random.random()\nawait dice()",
    "def later(): return time.time()",
    "class Clock:\n    at = time.time()",
    "time = Clock(); time.time()",
    "def uuid4(): return 7\nuuid4()",
    "for random in (): random.random()",
    "with manager() as open: open('f', 'w')",
    "[secrets.choice() for secrets in ()]",
    "self.random.random(); clock().time()",
    "await wait.until(datetime.now(UTC) + timedelta(days=1))",
    "await hr.wait.until(datetime.now(UTC))",
    "await approval.wait(until=datetime.now(UTC) + timedelta(days=1))",
    "await streams.race(a, b, until=dt.datetime.now(UTC))",
    "await outside()",
    "match x:\n    case {'time': time}: time.time()",
]


def found(body: str, *, parameter: str = "payload", before: str = "", after: str = "") -> set[str]:
    """Return the calls that are found in a task with this body."""
    text = f"{IMPORTS}{before}\n@task\nasync def job({parameter}):\n{indent(body, '    ')}\n{after}"
    at = text[: text.index("@task")].count("\n") + 1
    return {one.call for one in Module(ast.parse(text)).found("job", at)}


@pytest.mark.parametrize("body", WARNED)
def test_what_differs_from_run_to_run_is_found(body: str) -> None:
    assert found(body) == {WARNED[body]}


@pytest.mark.parametrize("body", QUIET)
def test_what_does_not_or_is_a_steps_is_not(body: str) -> None:
    assert found(body) == set()


def test_a_name_that_is_something_else_here_is_not_found() -> None:
    assert found("random.random()", parameter="random") == set()
    assert found("random.random()", parameter="*random") == set()
    assert found("uuid4()", before="uuid4 = None") == set()
    assert found("open('f', 'w')", after="def open(name, mode): ...") == set()
    assert found("clock.time()", before="from . import time as clock") == set()


HELPERS = dedent(
    """
    async def stamped(text):
        return await twice(text), uuid4()

    async def twice(text):
        return [text, roll(1, 6), await stamped(text)]

    @step
    async def remembered(text):
        return time.time()

    async def never_called(text):
        return time.time()

    def plain(text):
        return os.urandom(1)
    """
)


def test_async_functions_of_the_module_that_the_task_calls_are_its_own_code() -> None:
    assert found("await stamped('a')", after=HELPERS) == {"uuid4()", "roll()"}
    assert found("asyncio.gather(twice('a'))", after=HELPERS) == {"uuid4()", "roll()"}
    for call in ("await remembered('a')", "plain('a')", "step('s', lambda: stamped('a'))"):
        assert found(call, after=HELPERS) == set()
    assert found("async def stamped(): ...\nawait stamped()", after=HELPERS) == set()


def test_the_function_and_the_line_are_named() -> None:
    tree = Module(
        ast.parse("import time\n@task\nasync def f():\n    x = [\n        time.time(),\n    ]")
    )
    assert list(tree.found("f", 2)) == [Found("time.time()", "f", 5)]
    assert list(tree.found("f", 3)) == []
    assert list(tree.found("g", 2)) == []


TASKS = """
from time import time

from headrace import task


@task{options}
{kind} {name}() -> float:
    return time()
"""


def imported(
    folder: Path, name: str, kind: str, options: str = ""
) -> list[warnings.WarningMessage]:
    """Import a module with a task; return what it warned of."""
    file = folder / f"{name}.py"
    file.write_text(TASKS.format(name=name, kind=kind, options=options))
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
    return caught


@pytest.mark.parametrize(
    ("name", "kind", "options"),
    [
        ("stamped_task", "async def", ""),
        ("stamped_plain_task", "def", ""),
        ("stamped_task_in_memory", "async def", "(snapshot=False)"),
    ],
)
def test_the_warning_stands_at_the_users_line(
    tmp_path: Path, name: str, kind: str, options: str
) -> None:
    (one,) = imported(tmp_path, name, kind, options)
    assert one.category is headrace.NotRepeatable
    assert (one.filename, one.lineno) == (str(tmp_path / f"{name}.py"), 9)
    assert str(one.message) == (
        f"time() in {name}(), outside a step, gives something else on replay; "
        "move it into a function with @step, whose result is remembered"
    )


SILENT = """
import warnings
import headrace
warnings.filterwarnings("ignore", category=headrace.NotRepeatable)
"""


@pytest.mark.parametrize(("first", "said"), [("", True), (SILENT, False)])
def test_it_is_shown_and_silenced_as_any_warning(tmp_path: Path, first: str, *, said: bool) -> None:
    text = TASKS.format(name="silent", kind="async def", options="")
    (tmp_path / "silent.py").write_text(first + text)
    done = subprocess.run(
        [sys.executable, "-c", "import silent"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ("silent.py:9: NotRepeatable: time() in silent()" in done.stderr) == said
    assert bool(done.stderr) == said


def test_a_file_that_has_changed_since_it_was_read_is_no_matter(tmp_path: Path) -> None:
    text = TASKS.format(name="gone_since", kind="async def", options="")
    (tmp_path / "gone_since.py").write_text("import os; os.truncate(__file__, 0)\n" + text)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "import gone_since"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
