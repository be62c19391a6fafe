"""What a function takes and gives, by its annotations.

Owns: when annotations are read, and what is said when that fails.
Must never know: tasks or steps.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from functools import cached_property
from typing import Any, get_type_hints

from headrace.errors import Mistake
from headrace.sdk.codecs import Codec, codec_for
from headrace.sdk.lines import caller_frame, line_of


class Signature:
    """A function's types. A name that is defined further down is looked up on first use."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self.is_async = inspect.iscoroutinefunction(inspect.unwrap(function))
        self._hints = self._known_by_now()

    @cached_property
    def hints(self) -> dict[str, Any]:
        """The annotations, as types."""
        if self._hints is not None:
            return self._hints
        try:
            return get_type_hints(self._function, include_extras=True)
        except NameError as error:
            raise Mistake(
                f"{self.shown}: {error}, which an annotation uses",
                hint="Import it for real, not only under TYPE_CHECKING: values are checked by it.",
            ) from error

    @cached_property
    def result(self) -> Codec[Any]:
        """What carries the result; without an annotation anything that JSON has."""
        return codec_for(self.hints.get("return", Any))

    @property
    def shown(self) -> str:
        """The function and its line, for messages."""
        name = getattr(self._function, "__qualname__", repr(self._function))
        return f"{name} at {line_of(self._function)}"

    def _known_by_now(self) -> dict[str, Any] | None:
        frame = caller_frame()
        try:
            # Inside the `try`: from Python 3.14 on, looking at annotations evaluates them.
            if not hasattr(self._function, "__annotations__"):
                return {}
            return get_type_hints(
                self._function,
                localns=None if frame is None else dict(frame.f_locals),
                include_extras=True,
            )
        except NameError:
            return None


class TaskSignature(Signature):
    """The types of a task: a payload or none, and a result."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self.parameter = self._only_parameter()

    @cached_property
    def payload(self) -> Codec[Any]:
        """What carries the payload; null where the task takes none."""
        if self.parameter is None:
            return codec_for(None)
        return codec_for(self.hints.get(self.parameter.name, Any))

    def _only_parameter(self) -> inspect.Parameter | None:
        if inspect.isasyncgenfunction(self._function) or inspect.isgeneratorfunction(
            self._function
        ):
            raise Mistake(
                f"{self.shown} yields; a task returns",
                hint="Append to an output stream what should be seen on the way.",
            )
        parameters = _parameters(self._function)
        if len(parameters) > 1 or any(one.kind not in _PLAIN for one in parameters):
            raise Mistake(
                f"{self.shown} does not take its payload as one plain parameter",
                hint="A task has one parameter, or none. Put several values into a dataclass.",
            )
        return parameters[0] if parameters else None


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """Return the parameters; names in their annotations need not exist yet."""
    if sys.version_info >= (3, 14):
        from annotationlib import Format  # noqa: PLC0415 - new in that version

        found = inspect.signature(function, annotation_format=Format.FORWARDREF)
    else:
        found = inspect.signature(function)
    return list(found.parameters.values())


_PLAIN = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
