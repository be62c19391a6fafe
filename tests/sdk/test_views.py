"""A run in Python's terms, and the error that each outcome is."""

from datetime import UTC, datetime

import msgspec
import pytest

from headrace import errors
from headrace.sdk.codecs import codec_for
from headrace.sdk.views import RunError, Waiting, result_of, run_of
from headrace.wire.views import (
    FINAL,
    ErrorView,
    RelatedRuns,
    RunView,
    Status,
    WaitView,
)

NUMBER = codec_for(int)


def _view(status: Status, **more: object) -> RunView:
    is_over = status in FINAL
    facts: dict[str, object] = {
        "id": "run_1",
        "task_identifier": "count",
        "status": status,
        "is_queued": False,
        "is_executing": False,
        "is_waiting": False,
        "is_completed": is_over,
        "is_success": False,
        "is_failed": False,
        "is_cancelled": False,
        "is_test": False,
        "created_at": "2026-01-01T00:00:00.000Z",
        "updated_at": "2026-01-02T00:00:00.000Z",
        "tags": ["a"],
        "cost_in_cents": 0.0,
        "base_cost_in_cents": 0.0,
        "duration_ms": 0,
        "depth": 0,
        "trigger_function": "trigger",
        "attempt_count": 2,
        "related_runs": RelatedRuns(),
        "waits": [],
        "unread": {},
    }
    return RunView(**(facts | more))  # type: ignore[arg-type]  # made of facts by name


@pytest.mark.parametrize(
    ("status", "verdict", "words"),
    [
        ("FAILED", errors.RunFailed, "run run_1 of count failed: ValueError: no luck"),
        ("CANCELED", errors.RunCanceled, "run run_1 of count was cancelled"),
        ("CRASHED", errors.RunCrashed, "run run_1 of count crashed"),
        ("SYSTEM_FAILURE", errors.RunCrashed, "run run_1 of count crashed"),
        ("EXPIRED", errors.RunExpired, "run run_1 of count was not started in time"),
        ("TIMED_OUT", errors.RunTimedOut, "run run_1 of count executed too long"),
    ],
)
def test_each_end_is_an_error_of_its_own(
    status: Status, verdict: type[errors.Verdict], words: str
) -> None:
    why = ErrorView(message="no luck", name="ValueError", stack_trace="Traceback: here")
    view = _view(status, error=why) if status == "FAILED" else _view(status)
    with pytest.raises(verdict) as caught:
        result_of(view, NUMBER)
    assert caught.value.message == words
    assert caught.value.facts["run_id"] == "run_1"
    if status == "FAILED":
        assert caught.value.facts["traceback"] == "Traceback: here"
        assert caught.value.__notes__ == ["The task's own traceback:\nTraceback: here"]


def test_every_final_status_but_success_is_told() -> None:
    for status in FINAL - {"COMPLETED"}:
        with pytest.raises(errors.Verdict):
            result_of(_view(status), NUMBER)


def test_a_result_is_read_as_its_type() -> None:
    assert result_of(_view("COMPLETED", output=msgspec.Raw(b"3")), NUMBER) == 3
    assert result_of(_view("COMPLETED"), codec_for(None)) is None
    with pytest.raises(errors.BadValue, match="result: Expected `int`, got `str`"):
        result_of(_view("COMPLETED", output=msgspec.Raw(b'"a"')), NUMBER)


def test_a_view_turns_into_python() -> None:
    run = run_of(
        _view(
            "WAITING",
            metadata=msgspec.Raw(b'{"a":[1]}'),
            payload=msgspec.Raw(b'{"title":"b"}'),
            waits=[
                WaitView(
                    key="wait:approval#0",
                    since="2026-01-01T00:00:01.000Z",
                    stream="approval",
                    until="2026-01-08T00:00:01.000Z",
                    line="tasks.py:9",
                ),
                WaitView(key="sleep#0", since="2026-01-01T00:00:01.000Z"),
            ],
            unread={"cancel": 2},
            error=ErrorView(message="before", name="OSError"),
            blocked="--- recorded",
        )
    )
    since = datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC)
    assert run.waits == (
        Waiting(since, "approval", datetime(2026, 1, 8, 0, 0, 1, tzinfo=UTC), "tasks.py:9"),
        Waiting(since),
    )
    assert (run.metadata, run.payload, run.output) == ({"a": [1]}, {"title": "b"}, None)
    assert (run.attempt, run.tags, run.unread) == (2, ("a",), {"cancel": 2})
    assert run.error == RunError("OSError", "before", "")
    assert run.created_at == datetime(2026, 1, 1, tzinfo=UTC)
    assert (run.started_at, run.finished_at, run.is_over) == (None, None, False)
    assert run.blocked == "--- recorded"
