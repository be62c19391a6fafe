"""Why a function, a coroutine or a snapshot is refused, in words that name what is in the way.

    FramesError
    ├── NotResumable     a function has a construct that cannot be done; says what to write instead
    ├── NotSaved         a suspended coroutine holds something that cannot be saved
    └── NotRestored      a snapshot cannot be taken up
        └── SourceChanged    the source of one of its functions is another now

Must never know: runs, stores, or who asks.
"""

from __future__ import annotations


class FramesError(Exception):
    """Base of all."""


class NotResumable(FramesError):
    """A function cannot be made resumable; `instead` says what to write."""

    def __init__(self, message: str, name: str, file: str, line: int, instead: str = "") -> None:
        advice = f"; {instead}" if instead else ""
        super().__init__(f"{name}() cannot be made resumable: {message} ({file}:{line}){advice}")
        self.message, self.name, self.file, self.line = message, name, file, line
        self.instead = instead


class NotSaved(FramesError):
    """A suspended coroutine cannot be saved: `variable` of `function` is in the way.

    `variable` is empty where what is awaited is in the way, and `type` is then the type of that.
    """

    def __init__(
        self,
        message: str,
        *,
        variable: str,
        type: str,
        function: str,
        file: str,
        line: int,
        reason: str,
    ) -> None:
        super().__init__(message)
        self.variable, self.type, self.function = variable, type, function
        self.file, self.line, self.reason = file, line, reason


class NotRestored(FramesError):
    """A snapshot cannot be taken up; nothing of the user's code has run."""


class SourceChanged(NotRestored):
    """The source of `function` is not the one that was suspended."""

    def __init__(self, function: str, module: str, message: str = "") -> None:
        text = f"the source of {function}() in {module} changed since it was suspended"
        super().__init__(f"{text}: {message}" if message else text)
        self.function, self.module = function, module


class Unfit(Exception):
    """Something in a syntax tree that the transformation cannot do."""

    def __init__(self, message: str, line: int, instead: str) -> None:
        super().__init__(message)
        self.message, self.line, self.instead = message, line, instead
