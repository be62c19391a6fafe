"""What may be declared as a task or stream, and what is said where it may not."""

import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from headrace import Retry, streams, task
from headrace.errors import BadRequest, Mistake
from headrace.kernel import model
from headrace.sdk.registry import Registry, Site, registry, version_of
from headrace.sdk.tasks import Task
from headrace.wire.registration import StreamSpec, TaskSpec

if TYPE_CHECKING:
    from decimal import Decimal


@dataclass
class Post:
    title: str


@task
async def publish_the_post(post: Post) -> str:
    """Publish it."""
    return post.title


def test_a_task_is_named_after_its_function_and_looks_like_it() -> None:
    assert publish_the_post.id == "publish-the-post"
    assert publish_the_post.__doc__ == "Publish it."
    assert repr(publish_the_post) == "Task('publish-the-post')"


async def test_a_task_can_be_called_as_the_function_that_it_is() -> None:
    assert await publish_the_post(Post("a")) == "a"
    assert await publish_the_post.fn(Post("a")) == "a"


def test_options_reach_the_server_in_milliseconds() -> None:
    @task(
        id="x/y", max_attempts=5, retry=Retry(2, first="2s", most="1m"), ttl=60, max_duration="1h"
    )
    def one() -> None: ...

    policy = model.Retry(max_attempts=5, first_ms=2_000, factor=2.0, most_ms=60_000, jitter=True)
    assert one.spec == TaskSpec(
        id="x/y",
        schema=b'{"type":"null"}',
        retry=policy,
        ttl_ms=60_000,
        max_duration_ms=3_600_000,
    )


async def test_a_default_counts_where_nothing_was_sent() -> None:
    @task
    async def counts(number: int = 3) -> int:
        return number

    assert await counts.execute(b"") == b"3"
    assert await counts.execute(b"4") == b"4"


async def test_without_annotations_any_json_will_do() -> None:
    # An untyped author's function.
    space: dict[str, Any] = {"task": task}
    code = compile("@task\ndef untyped(value): return [value]", "untyped.py", "exec")
    _run(code, space)
    untyped: Task[Any, Any] = space["untyped"]
    assert untyped.spec.schema == b""
    assert await untyped.execute(b'{"a":1}') == b'[{"a":1}]'


def _run(code: Any, space: dict[str, Any]) -> None:
    module = ModuleType("untyped")
    vars(module).update(space)
    type(code)  # a code object runs as a function's body does
    from types import FunctionType  # noqa: PLC0415 - only here

    FunctionType(code, vars(module))()
    space.update(vars(module))


def test_two_parameters_are_one_too_many() -> None:
    async def two(_a: int, _b: int) -> None: ...

    wrong: Any = two
    with pytest.raises(Mistake, match=r"two at tests/sdk/test_declaring\.py:\d+ does not take"):
        task(wrong)


def test_a_keyword_is_no_payload() -> None:
    async def keyword(*, a: int) -> None: ...

    wrong: Any = keyword
    with pytest.raises(Mistake, match="one plain parameter"):
        task(wrong)


def test_a_generator_is_no_task() -> None:
    async def yields() -> AsyncIterator[int]:
        yield 1

    def yields_plainly() -> Iterator[int]:
        yield 1

    for wrong in (yields, yields_plainly):
        odd: Any = wrong
        with pytest.raises(Mistake, match="yields; a task returns"):
            task(odd)


def test_a_type_that_json_cannot_carry_is_named_with_the_task() -> None:
    @task
    async def odd(number: complex) -> None: ...

    with pytest.raises(Mistake, match="complex cannot be sent: complex has no JSON form"):
        _ = odd.spec


def test_a_name_only_for_type_checkers_is_explained() -> None:
    @task
    async def typed_only(price: "Decimal") -> None: ...

    with pytest.raises(Mistake, match="'Decimal' is not defined, which an annotation uses") as told:
        _ = typed_only.spec
    assert "TYPE_CHECKING" in told.value.hint


def test_a_type_defined_further_down_is_found() -> None:
    @task
    async def early(later: "Later") -> None: ...

    assert b"further" in early.spec.schema


@dataclass
class Later:
    further: int


def test_local_types_are_found() -> None:
    @dataclass
    class Local:
        number: int

    @task
    async def local(value: "Local") -> None: ...

    assert b"number" in local.spec.schema


@pytest.mark.parametrize("name", ["", "a b", "-a", "a\n", "ä", "x" * 129, "/a"])
def test_a_name_that_cannot_stand_in_an_address_is_refused(name: str) -> None:
    with pytest.raises(Mistake, match="is no name for a stream"):
        streams.input(name, str)
    if name:
        with pytest.raises(Mistake, match="is no name for a task"):
            task(id=name)(publish_the_post.fn)


@pytest.mark.parametrize(
    "retry",
    [
        lambda: Retry(max_attempts=0),
        lambda: Retry(first="soon"),
        lambda: Retry(factor=0.5),
        lambda: Retry(first="1m", most="30s"),
    ],
    ids=["attempts", "first", "factor", "most"],
)
def test_a_retry_that_makes_no_sense_is_refused(retry: Any) -> None:
    with pytest.raises(BadRequest):
        retry()


def test_a_long_first_pause_raises_the_longest() -> None:
    assert Retry(first="1h").policy().most_ms == 3_600_000
    assert Retry().policy() == model.Retry()


# --- the registry --------------------------------------------------------------------------------


def _site(line: int, *, file: str = "tasks.py", local: bool = False, module: str = "tasks") -> Site:
    return Site(module, file, line, f"{file}:{line}", is_local=local)


def test_two_tasks_of_one_name_are_named_with_both_lines() -> None:
    known = Registry()
    known.add_task(publish_the_post, _site(3))
    known.add_task(publish_the_post, _site(3))
    with pytest.raises(Mistake) as caught:
        known.add_task(publish_the_post, _site(9, file="more.py"))
    assert caught.value.message == (
        "two tasks are called 'publish-the-post': at tasks.py:3 and at more.py:9"
    )


def test_what_a_function_defines_replaces_what_a_function_defined() -> None:
    known = Registry()
    known.add_task(publish_the_post, _site(3, local=True))
    known.add_task(publish_the_post, _site(9, local=True))
    with pytest.raises(Mistake):
        known.add_task(publish_the_post, _site(12))


def test_a_notebooks_cell_may_run_again() -> None:
    known = Registry()
    known.add_task(publish_the_post, _site(1, file="<cell 1>", module="__main__"))
    known.add_task(publish_the_post, _site(1, file="<cell 2>", module="__main__"))


class _Stream:
    def __init__(self, spec: StreamSpec) -> None:
        self.id, self.spec = spec.name, spec


def test_a_stream_may_be_declared_again_if_it_is_the_same() -> None:
    known = Registry()
    known.add_stream(_Stream(StreamSpec(name="a", inward=True)), _site(1))
    known.add_stream(_Stream(StreamSpec(name="a", inward=True)), _site(2))
    for other in (
        StreamSpec(name="a", inward=False),
        StreamSpec(name="a", inward=True, trusted=True),
        StreamSpec(name="a", inward=True, schema=b"{}"),
    ):
        with pytest.raises(Mistake, match=r"two streams are called 'a': at tasks\.py:1 and at"):
            known.add_stream(_Stream(other), _site(3))


def test_theversion_of_is_that_of_the_sources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "versioned.py"
    module = ModuleType("versioned")
    module.__file__ = str(file)
    monkeypatch.setitem(sys.modules, "versioned", module)
    file.write_text("a = 1")
    first = version_of({"versioned"})
    assert version_of({"versioned", "not there"}) == first
    file.write_text("a = 2")
    assert version_of({"versioned"}) != first


def test_importing_declares(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "declares_things.py").write_text(
        dedent(
            """
            from headrace import streams, task
            answers = streams.input("declared-answers", int)
            @task
            async def declared_task(number: int) -> int:
                return number
            """
        )
    )
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    module = __import__("declares_things")
    assert [one.id for one in registry.collect(module)] == ["declared-task"]
    told = registry.registration(registry.collect(module))
    assert [spec.id for spec in told.tasks] == ["declared-task"]
    assert "declared-answers" in [spec.name for spec in told.streams]
    assert "declared-task" in registry.tasks


def test_what_a_test_makes_is_not_among_the_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "makes_tasks.py").write_text(
        dedent(
            """
            from headrace import task
            def made(name):
                @task(id=name)
                async def one() -> None: ...
                return one
            by_factory = made("made-by-a-factory")
            """
        )
    )
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    __import__("makes_tasks").made("made-by-a-test")
    assert {"made-by-a-factory", "made-by-a-test"} <= registry.tasks.keys()
    assert "made-by-a-factory" in registry.imported
    assert "made-by-a-test" not in registry.imported
