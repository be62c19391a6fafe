"""Every error that a user can meet, and whose fault it is.

    HeadraceError                  .code  .hint  .facts
    ├── Mistake                    yours; trying again is pointless
    │   ├── Unauthorized           no key, or a wrong one
    │   ├── Forbidden              the token does not grant this
    │   ├── NotFound               no such run, task or stream in this environment
    │   ├── RunIsOver              the run has ended; nothing can be sent to it
    │   ├── KeyReused              the idempotency key was used with another body
    │   ├── BadRequest             the request is malformed (JSON, header, duration, parameter)
    │   ├── BadValue               a value does not fit its type or schema; .path says where
    │   ├── Unencodable            a value cannot be turned into JSON; .path names it
    │   ├── TooLarge               over the size limit
    │   ├── StreamHasHandler       a wait on a stream that a live `on` listens to
    │   ├── OutsideRun             something that only works inside a task was called outside
    │   └── Diverged               the code no longer fits the journal of its run
    ├── Trouble                    the world's; trying again may help
    │   ├── Unavailable            no answer: it may or may not have happened
    │   └── Throttled              over a limit for now; .retry_after in seconds
    └── Verdict                    how a run or a wait ended
        ├── RunFailed  RunCanceled  RunCrashed  RunExpired  RunTimedOut
        ├── StepFailed             a step raised, in an earlier life of the run
        └── WaitTimeout            nothing came in time

Must never know: HTTP. `wire` maps codes to statuses.
"""

from __future__ import annotations

from typing import ClassVar


class HeadraceError(Exception):
    """Base of all; `code` is stable, `hint` says what to do instead, `facts` are for programs."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str, *, hint: str = "", **facts: str | float | None) -> None:
        super().__init__(message)
        self.message, self.hint, self.facts = message, hint, facts

    def __str__(self) -> str:
        """Return the message, and the hint on a line of its own."""
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class Mistake(HeadraceError):
    """Yours; trying again is pointless."""

    code = "mistake"


class Trouble(HeadraceError):
    """The world's; trying again may help."""

    code = "trouble"


class Verdict(HeadraceError):
    """How a run or a wait ended."""

    code = "verdict"


class Unauthorized(Mistake):
    """No key, or a wrong one."""

    code = "unauthorized"


class Forbidden(Mistake):
    """The token does not grant this."""

    code = "forbidden"


class NotFound(Mistake):
    """No such run, task or stream in this environment."""

    code = "not_found"


class RunIsOver(Mistake):
    """The run has ended; nothing can be sent to it."""

    code = "run_is_over"


class KeyReused(Mistake):
    """The idempotency key was used before, with another body."""

    code = "key_reused"


class BadRequest(Mistake):
    """The request is malformed."""

    code = "bad_request"


class BadValue(Mistake):
    """A value does not fit its type or schema."""

    code = "bad_value"

    def __init__(self, message: str, *, path: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint, path=path)
        self.path = path


class Unencodable(Mistake):
    """A value cannot be turned into JSON."""

    code = "unencodable"

    def __init__(self, message: str, *, path: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint, path=path)
        self.path = path


class TooLarge(Mistake):
    """Over the size limit."""

    code = "too_large"


class StreamHasHandler(Mistake):
    """A wait on a stream that a live `on` listens to."""

    code = "stream_has_handler"


class OutsideRun(Mistake):
    """Something that only works inside a task was called outside."""

    code = "outside_run"


class Diverged(Mistake):
    """The code no longer fits the journal of its run."""

    code = "diverged"


class Unavailable(Trouble):
    """No answer: it may or may not have happened. With an idempotency key, try again."""

    code = "unavailable"


class Throttled(Trouble):
    """Over a limit for now."""

    code = "throttled"

    def __init__(self, message: str, *, retry_after: float = 1.0, hint: str = "") -> None:
        super().__init__(message, hint=hint, retry_after=retry_after)
        self.retry_after = retry_after


class RunFailed(Verdict):
    """The task raised, and no attempt was left; `facts` hold the name and the traceback."""

    code = "run_failed"


class RunCanceled(Verdict):
    """Somebody cancelled the run."""

    code = "run_canceled"


class RunCrashed(Verdict):
    """The run's workers died under it."""

    code = "run_crashed"


class RunExpired(Verdict):
    """The run was not started within its time to live."""

    code = "run_expired"


class RunTimedOut(Verdict):
    """The run executed longer than its `max_duration`."""

    code = "run_timed_out"


class StepFailed(Verdict):
    """A step raised in an earlier life of the run; its own exception type is not here any more."""

    code = "step_failed"


class WaitTimeout(Verdict):
    """Nothing came in time."""

    code = "wait_timeout"


__all__ = [
    "BadRequest",
    "BadValue",
    "Diverged",
    "Forbidden",
    "HeadraceError",
    "KeyReused",
    "Mistake",
    "NotFound",
    "OutsideRun",
    "RunCanceled",
    "RunCrashed",
    "RunExpired",
    "RunFailed",
    "RunIsOver",
    "RunTimedOut",
    "StepFailed",
    "StreamHasHandler",
    "Throttled",
    "TooLarge",
    "Trouble",
    "Unauthorized",
    "Unavailable",
    "Unencodable",
    "Verdict",
    "WaitTimeout",
]
