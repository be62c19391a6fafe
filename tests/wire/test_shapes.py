"""Rows in the shape protocol: as the clients' schema wants them, and back without loss."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, strategies as st

from headrace.errors import Unavailable
from headrace.kernel.model import (
    Blocked,
    Canceled,
    Cause,
    Completed,
    Crashed,
    Delayed,
    Expired,
    Failed,
    Instant,
    Outcome,
    Over,
    Queued,
    Retrying,
    Running,
    State,
    TaskId,
    TimedOut,
    Waiting,
    WorkerId,
)
from headrace.wire import shapes
from headrace.wire.faults import fault_text
from headrace.wire.feeds import FeedPage, FeedRow, Place
from headrace.wire.statuses import raw_of, status_of

AT = Instant(1_700_000_000_123)
PLACE = Place("run_1", "3_1")
HEADERS = {shapes.HANDLE: PLACE.handle, shapes.OFFSET: PLACE.offset}
instants = st.integers(1, 4_000_000_000_000).map(Instant)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
bodies = st.sampled_from([b"", b"null", b'{"a":[1,"\xc3\xa9 \\" \\\\"]}'])
rows = st.builds(
    FeedRow,
    id=st.sampled_from(["run_1", "run_2"]),
    task=texts.map(TaskId),
    status=st.just("EXECUTING"),
    created=instants,
    updated=instants,
    tags=st.lists(texts, max_size=3).map(tuple),
    streams=st.lists(texts, max_size=3).map(tuple),
    started=st.none() | instants,
    delayed_until=st.none() | instants,
    queued=st.none() | instants,
    expired=st.none() | instants,
    ended=st.none() | instants,
    ran_ms=st.integers(0, 2**31 - 1),
    ttl=texts,
    payload=bodies,
    metadata=bodies,
    output=bodies,
    error=bodies,
)


def value_of(row: FeedRow) -> dict[str, str | None]:
    """Return the columns of the row as they are sent."""
    text = shapes.body(FeedPage(PLACE, (row,)))
    return msgspec.json.decode(text, type=list[shapes.Message])[0].value


def plain(**fields: object) -> FeedRow:
    """Return a row with these fields."""
    given = {"id": "run_1", "task": "t", "status": "PENDING", "created": AT, "updated": AT}
    return FeedRow(**{**given, **fields})  # type: ignore[arg-type]  # each test knows its own


@given(st.lists(rows, max_size=2, unique_by=lambda row: row.id), st.booleans(), st.booleans())
def test_a_page_comes_back_as_it_was(found: list[FeedRow], known: bool, more: bool) -> None:  # noqa: FBT001 - drawn
    ids = frozenset(row.id for row in found) if known else frozenset[str]()
    page = FeedPage(PLACE, tuple(found), ids, more)
    assert shapes.page_of(shapes.body(page), HEADERS) == page


def test_columns_are_text_as_their_types_say() -> None:
    value = value_of(plain(tags=('a "b" \\c', "{,}"), ran_ms=2**40, started=AT))
    assert value["runTags"] == '{"a \\"b\\" \\\\c","{,}"}'
    assert value["createdAt"] == value["startedAt"] == "2023-11-14T22:13:20.123"
    assert value["usageDurationMs"] == str(2**31 - 1)  # more is no int4, and ends a subscription
    assert (value["isTest"], value["number"]) == ("f", "0")
    assert all(text is None or isinstance(text, str) for text in value.values())


def test_every_column_has_a_type_and_numbers_are_never_missing() -> None:
    schema = msgspec.json.decode(shapes.schema())
    value = value_of(plain())
    assert schema.keys() == value.keys()
    numbers = [name for name, kind in schema.items() if kind["type"] in {"bool", "int4", "float8"}]
    assert numbers
    assert all(value[name] is not None for name in numbers)


def test_what_is_skipped_is_neither_in_the_rows_nor_in_the_schema() -> None:
    skip = shapes.skipped(["payload", "error", "id", "status", "updatedAt", "friendlyId", "?"])
    assert skip == {"payload", "error"}
    change, _ = msgspec.json.decode(shapes.body(FeedPage(PLACE, (plain(),)), skip))
    assert not skip & change["value"].keys()
    assert not skip & msgspec.json.decode(shapes.schema(skip)).keys()


@pytest.mark.parametrize(
    ("text", "headers"),
    [
        (b"<html>", HEADERS),
        (b"{}", HEADERS),
        (b"[]", {}),
        (b'[{"headers":{"operation":"insert"},"value":{}}]', HEADERS),
        (
            b'[{"headers":{"operation":"insert"},"value":{"id":"r","createdAt":"x"}}]',
            HEADERS,
        ),
    ],
)
def test_what_is_no_page_is_not_believed(text: bytes, headers: dict[str, str]) -> None:
    with pytest.raises(Unavailable, match="not that of a Headrace server"):
        shapes.page_of(text, headers)


CAUSE = Cause("broken", "ValueError", "line 1")
OUTCOMES: list[Outcome] = [
    Completed(b"1"),
    Failed(CAUSE),
    Canceled(),
    Crashed(CAUSE),
    Expired(),
    TimedOut(),
]
STATES: list[State] = [
    Delayed(AT),
    Queued(AT),
    Retrying(AT),
    Running(WorkerId("w")),
    Waiting(None),
    Blocked(CAUSE),
    *[Over(outcome, AT) for outcome in OUTCOMES],
]
CLIENT = {
    "PENDING": "QUEUED",
    "RETRYING_AFTER_FAILURE": "EXECUTING",
    "WAITING_TO_RESUME": "WAITING",
    "COMPLETED_SUCCESSFULLY": "COMPLETED",
    "COMPLETED_WITH_ERRORS": "FAILED",
}
"""How the official client reads the feed's statuses; the rest stay as they are."""


@pytest.mark.parametrize("state", STATES, ids=repr)
def test_feed_and_views_agree_on_the_status(state: State) -> None:
    raw = raw_of(state)
    assert CLIENT.get(raw, raw) == status_of(state)


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (Completed(b"1"), None),
        (
            Failed(CAUSE),
            {
                "type": "BUILT_IN_ERROR",
                "name": "ValueError",
                "message": "broken",
                "stackTrace": "line 1",
            },
        ),
        (
            Crashed(Cause("lost")),
            {
                "type": "INTERNAL_ERROR",
                "code": "TASK_RUN_CRASHED",
                "message": "lost",
                "stackTrace": "",
            },
        ),
        (
            Canceled(),
            {
                "type": "INTERNAL_ERROR",
                "code": "TASK_RUN_CANCELLED",
                "message": "the run was cancelled",
                "stackTrace": "",
            },
        ),
        (
            TimedOut(),
            {
                "type": "INTERNAL_ERROR",
                "code": "MAX_DURATION_EXCEEDED",
                "message": "the run executed for too long",
                "stackTrace": "",
            },
        ),
        (
            Expired(),
            {"type": "STRING_ERROR", "raw": "the run was not started within its time to live"},
        ),
    ],
)
def test_a_fault_is_one_of_the_types_that_the_clients_know(
    outcome: Outcome, said: dict[str, str] | None
) -> None:
    text = fault_text(outcome)
    assert (msgspec.json.decode(text) if text else None) == said
