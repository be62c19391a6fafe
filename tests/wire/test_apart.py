"""Batches on the channel: two large snapshots never share a frame, and the order stays."""

from hypothesis import given, strategies as st

from headrace.wire.channel import (
    LARGE,
    Assigned,
    Operation,
    Parked,
    Push,
    Saved,
    apart,
    decode_operations,
    decode_pushes,
    encode,
)

HUGE = bytes(LARGE + 1)
SMALL = Parked("run", 1)
SAVED = Saved("run", 1, 0, HUGE)
ASSIGNED = Assigned("run", 1, "task", 1, b"", b"", (), {}, snapshot=HUGE)
JUST = Saved("run", 1, 0, HUGE[1:])


@given(st.lists(st.sampled_from([SMALL, SAVED, JUST]), min_size=1))
def test_a_part_has_one_large_message_at_most(messages: list[Operation]) -> None:
    parts = [*apart(messages)]
    assert [message for part in parts for message in part] == messages
    assert all(parts)
    assert max(sum(message is SAVED for message in part) for part in parts) <= 1
    assert len(parts) <= 1 + sum(message is SAVED for message in messages)


def test_pushes_are_cut_as_operations_are() -> None:
    pushes: list[Push] = [ASSIGNED, ASSIGNED]
    assert [len(part) for part in apart(pushes)] == [1, 1]


def test_what_has_no_snapshot_is_one_part() -> None:
    assert [*apart([SMALL] * 1_000)] == [[SMALL] * 1_000]


def test_a_snapshot_arrives_as_it_was_sent() -> None:
    saved = Saved("run", 7, 9, bytes(range(256)), drops=True, leaves=True)
    assert decode_operations(encode([saved])) == [saved]
    assigned = Assigned(
        "run", 7, "task", 1, b"1", b"", (), {}, snapshot=b"s", saved=9, base=3, code="v"
    )
    assert decode_pushes(encode([assigned])) == [assigned]


def test_a_server_that_knows_no_snapshots_is_understood() -> None:
    """Its `Assigned` is shorter; what is left out says that there is none."""
    older = encode([["Assigned", "run", 7, "task", 1, b"1", b"", (), {}, [], False]])
    (assigned,) = decode_pushes(older)
    assert isinstance(assigned, Assigned)
    assert (assigned.snapshot, assigned.base, assigned.code) == (b"", 0, "")
