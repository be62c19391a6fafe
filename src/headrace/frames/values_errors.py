"""Why a value cannot be saved, or loaded again, in words that name it.

Owns: the three errors of values. Must never know: frames, functions, lines; who has them adds them.
"""

from __future__ import annotations


class Refused(Exception):
    """A reducer, or a hook, does not want this object: says why, and what to write instead."""

    def __init__(self, reason: str, instead: str = "") -> None:
        super().__init__(reason)
        self.reason, self.instead = reason, instead


class CannotSave(Exception):
    """A variable holds something that cannot be saved.

    `path` leads to it (`client.pool[0]`), `kind` is its type and `holder` that of the variable.
    """

    def __init__(
        self, variable: str, path: str, *, kind: str, holder: str, reason: str, instead: str
    ) -> None:
        super().__init__(variable, path, kind, reason)
        self.variable, self.path, self.kind, self.holder = variable, path, kind, holder
        self.reason, self.instead = reason, instead

    def __str__(self) -> str:
        """Return one sentence and the advice; the caller puts function, file and line in front."""
        where = "" if self.path == self.variable else f": {self.path} ({self.kind})"
        instead = f"; {self.instead}" if self.instead else ""
        return f"{self.variable!r} ({self.holder}) cannot be saved{where}: {self.reason}{instead}"


class CannotLoad(Exception):
    """A value was saved, but what it refers to is not there any more, or has changed."""
