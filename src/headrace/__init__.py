"""Send typed data to a running, or sleeping, Python task."""

from headrace import errors
from headrace.frames import Resource, resource
from headrace.ports import Api
from headrace.sdk import connection, streams
from headrace.sdk.answers import Answer, Ok, Pending, TimedOut
from headrace.sdk.auth import auth
from headrace.sdk.connection import configure
from headrace.sdk.current import CurrentRun, current_run, metadata
from headrace.sdk.debouncing import Debounce
from headrace.sdk.handles import Handle
from headrace.sdk.inputs import InputStream, InputStreamOf, Subscription
from headrace.sdk.outputs import OutputStream
from headrace.sdk.repeating import NotRepeatable
from headrace.sdk.retrying import Retry
from headrace.sdk.runs import runs
from headrace.sdk.steps import Step, step
from headrace.sdk.tasks import Task, task
from headrace.sdk.tokens import Token
from headrace.sdk.views import Run, RunError, Waiting
from headrace.sdk.waits import wait
from headrace.wire.views import Receipt

__all__ = [
    "Answer",
    "CurrentRun",
    "Debounce",
    "Handle",
    "InputStream",
    "InputStreamOf",
    "NotRepeatable",
    "Ok",
    "OutputStream",
    "Pending",
    "Receipt",
    "Resource",
    "Retry",
    "Run",
    "RunError",
    "Step",
    "Subscription",
    "Task",
    "TimedOut",
    "Token",
    "Waiting",
    "auth",
    "configure",
    "current_run",
    "errors",
    "metadata",
    "resource",
    "runs",
    "step",
    "streams",
    "task",
    "wait",
]


def _connect() -> Api:
    # Only once a server is asked for: importing a task must not load what runs one.
    from headrace.app.connecting import connect  # noqa: PLC0415

    return connect()


connection.provide(_connect)
