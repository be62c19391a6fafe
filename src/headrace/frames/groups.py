"""What `except*` does with a group of exceptions, for the handlers of it that wait.

Owns: splitting a group among its handlers, and what is raised after the last of them.
Must never know: syntax trees, snapshots. An instance of `Parts` is saved like any other value.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias, TypeGuard, cast

_SEEN: Final = ("__traceback__", "__context__", "__cause__")
Group: TypeAlias = "BaseExceptionGroup[BaseException]"


class Parts:
    """An exception on its way through the handlers of an `except*`."""

    __slots__ = ("_failed", "_kept", "_rest", "_whole")

    def __init__(self, whole: BaseException) -> None:
        self._whole = whole
        self._rest: BaseException | None = whole
        self._failed: list[BaseException] = []
        self._kept: tuple[object, ...] = ()

    def match(self, kinds: Any) -> BaseException | None:
        """Take what a handler is for out of what is left."""
        for kind in cast("tuple[object, ...]", kinds if isinstance(kinds, tuple) else (kinds,)):
            _check(kind)
        rest = self._rest
        if rest is None:
            return None
        if isinstance(rest, kinds):
            self._rest = None
            if _is_group(rest):
                return rest
            return BaseExceptionGroup("", (rest,)).with_traceback(rest.__traceback__)
        if not _is_group(rest):
            return None
        found, self._rest = cast("Any", rest).split(kinds)
        return cast("Group | None", found)

    def raising(self, error: BaseException) -> BaseException:
        """Return an exception that is raised only to be the one being handled."""
        self._kept = (*(getattr(error, name) for name in _SEEN), error.__suppress_context__)
        return error

    def settled(self, error: BaseException) -> None:
        """Undo what raising it changed."""
        traceback, context, cause, suppressed = self._kept
        self._kept = ()
        error.__cause__ = cause  # type: ignore[assignment] # as it was
        error.__context__ = context  # type: ignore[assignment] # as it was
        error.__traceback__ = traceback  # type: ignore[assignment] # as it was
        error.__suppress_context__ = bool(suppressed)

    def failed(self, error: BaseException) -> None:
        """Note what a handler raised, or raised again."""
        self._failed.append(error)

    def outcome(self) -> BaseException | None:
        """Return what is to be raised after the last handler."""
        found = [*self._failed, *([] if self._rest is None else [self._rest])]
        whole = self._whole
        if not _is_group(whole):
            return found[0] if found else None
        again = [error for error in found if _is_part(error, whole)]
        raised = [error for error in found if not _is_part(error, whole)]
        left = _projected(whole, again)
        if left is not None:
            raised.append(left)
        return BaseExceptionGroup("", raised) if len(raised) > 1 else next(iter(raised), None)


def _is_group(error: BaseException) -> TypeGuard[Group]:
    return isinstance(error, BaseExceptionGroup)


def _check(kind: object) -> None:
    if not (isinstance(kind, type) and issubclass(kind, BaseException)):
        raise TypeError("catching classes that do not inherit from BaseException is not allowed")
    if issubclass(kind, BaseExceptionGroup):
        raise TypeError("catching ExceptionGroup with except* is not allowed. Use except instead.")


def _is_part(error: BaseException, whole: BaseException) -> bool:
    """Tell whether it was split off, and is no new exception."""
    if not _is_group(error):
        return False
    names = (*_SEEN, "__notes__")
    return all(getattr(error, name, None) is getattr(whole, name, None) for name in names)


def _projected(whole: Group, parts: list[BaseException]) -> BaseException | None:
    """Return the part of a group that has the leaves of its parts, nested as they were."""
    leaves = {id(leaf) for part in parts for leaf in _leaves(part)}
    return whole.subgroup(lambda error: id(error) in leaves) if leaves else None


def _leaves(error: BaseException) -> list[BaseException]:
    if not _is_group(error):
        return [error]
    found: list[BaseException] = []
    for inner in error.exceptions:
        found += _leaves(inner)
    return found
