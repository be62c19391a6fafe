"""Exceptions, whose `__init__` is never called again."""

from __future__ import annotations

import json
from pathlib import Path

from tests.frames.values.registry import Values, saved


class Picky(Exception):
    """Asks for what `args` does not have."""

    __slots__ = ("slot",)

    def __init__(self, *, status: int, secret: str) -> None:
        super().__init__(f"status {status}")
        self.status, self.secret = status, secret
        self.slot = None


class Nested(ExceptionGroup[Exception]):
    """A group of the user's own."""


class NotFound(FileNotFoundError):
    hint = "look elsewhere"


def _raised(make: BaseException, cause: BaseException | None = None) -> BaseException:
    try:
        try:
            raise KeyError("first")
        except KeyError:
            if cause is None:
                raise make  # noqa: B904
            raise make from cause
    except BaseException as error:  # noqa: BLE001
        return error


def _chained(_: Path) -> Values:
    cause = ValueError("cause")
    error = _raised(Picky(status=4, secret="s"), cause)
    error.add_note("a note")
    quiet = _raised(TypeError("quiet"), None)
    quiet.__suppress_context__ = True
    return {"error": error, "cause": cause, "quiet": quiet, "loud": _raised(OSError(2, "m"))}


@saved(_chained)
def an_error_keeps_its_cause_and_context(v: Values) -> None:
    error, quiet, loud = v["error"], v["quiet"], v["loud"]
    assert (type(error), str(error), error.args) == (Picky, "status 4", ("status 4",))
    assert (error.status, error.secret, error.slot) == (4, "s", None)
    assert error.__notes__ == ["a note"]
    assert error.__cause__ is v["cause"]
    assert error.__suppress_context__
    assert repr(error.__context__) == "KeyError('first')"
    assert error.__traceback__ is None
    assert quiet.__suppress_context__
    assert quiet.__cause__ is None
    assert not loud.__suppress_context__
    assert isinstance(loud.__context__, KeyError)


def _native(_: Path) -> Values:
    return {
        "system": NotFound(2, "No such", "here", None, "there"),
        "unicode": UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"),
        "syntax": SyntaxError("m", ("f.py", 1, 2, "a b\n", 1, 3)),
        "stop": StopIteration([1]),
        "exit": SystemExit(3),
        "import": ImportError("m", name="n", path="p"),
        "attribute": AttributeError("m", name="n", obj=lambda: 1),
        "json": _json_error(),
        "key": KeyError("k", 1),
    }


def _json_error() -> BaseException:
    try:
        json.loads("[1,")
    except json.JSONDecodeError as error:
        return error
    raise AssertionError


@saved(_native)
def errors_of_python_keep_their_fields(v: Values) -> None:
    ours = _native(Path())
    assert all((type(v[name]), str(v[name])) == (type(it), str(it)) for name, it in ours.items())
    assert all(v[name].args == it.args for name, it in ours.items())
    assert (v["system"].errno, v["system"].filename, v["system"].filename2) == (2, "here", "there")
    assert v["unicode"].object == b"\xff"
    assert (v["syntax"].lineno, v["syntax"].text) == (1, "a b\n")
    assert (v["stop"].value, v["exit"].code) == ([1], 3)
    assert (v["import"].name, v["import"].path, v["attribute"].name) == ("n", "p", "n")
    assert v["json"].pos == 3


def _groups(_: Path) -> Values:
    one = ValueError("one")
    one.__context__ = OSError("under")
    group = Nested("outer", [one, ExceptionGroup("inner", [TypeError("two")])])
    group.add_note("of the group")
    return {"group": group, "one": one, "base": BaseExceptionGroup("b", [KeyboardInterrupt()])}


@saved(_groups)
def groups_hold_the_same_errors(v: Values) -> None:
    group = v["group"]
    assert (type(group), group.message, group.__notes__) == (Nested, "outer", ["of the group"])
    assert group.exceptions[0] is v["one"]
    assert isinstance(v["one"].__context__, OSError)
    assert str(group.exceptions[1].exceptions[0]) == "two"
    assert isinstance(v["base"].exceptions[0], KeyboardInterrupt)


def _own_loop(_: Path) -> Values:
    error = ValueError("loop")
    error.args = ("loop", error)
    error.me = [error]  # type: ignore[attr-defined]  # an attribute that leads back
    return {"error": error}


@saved(_own_loop)
def an_error_may_lead_back_to_itself(v: Values) -> None:
    assert v["error"].args[1] is v["error"] is v["error"].me[0]
