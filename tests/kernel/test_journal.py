"""The replay cursor: what was answered is told again in the order of its answering."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from headrace.kernel.journal import UNORDERED, Asked, Diverged, Journal, Known, New
from headrace.kernel.model import EPOCH, Entry, Key, Kind


def _entry(n: int, name: str, kind: Kind = "step", line: str = "") -> Entry:
    return Entry(n, Key(name), kind, "value", b"1", EPOCH, line=line)


A, B, C = _entry(0, "/a#0"), _entry(1, "/b#0", "take"), _entry(2, "/c#0")


def test_an_empty_journal_owes_nothing() -> None:
    journal = Journal(())
    assert (journal.next_n, journal.turn, journal.is_replaying) == (0, None, False)
    assert journal.ask(Asked(Key("/a#0"), "step")) == New()


def test_what_was_answered_is_known() -> None:
    journal = Journal((A, B))
    assert journal.ask(Asked(B.key, "take")) == Known(B)
    assert journal.ask(Asked(C.key, "step")) == New()
    assert (journal.next_n, journal.turn) == (2, 0)


def test_the_turn_follows_the_order_of_answering() -> None:
    journal = Journal((A, B, C))
    turns = [journal.turn]
    for entry in (A, B, C):
        journal.tell(entry)
        turns.append(journal.turn)
    assert turns == [0, 1, 2, None]
    assert not journal.is_replaying


def test_what_is_told_before_its_turn_is_not_owed_afterwards() -> None:
    journal = Journal((A, B, C))
    journal.tell(B)
    assert journal.turn == 0
    journal.tell(A)
    assert journal.turn == 2


@pytest.mark.parametrize("kind", sorted(UNORDERED))
def test_what_no_code_awaits_has_no_turn(kind: Kind) -> None:
    aside = _entry(1, "/aside#0", kind)
    journal = Journal((A, aside, C))
    assert journal.ask(Asked(aside.key, kind)) == Known(aside)
    journal.tell(A)
    assert journal.turn == 2
    journal.tell(C)
    assert not journal.is_replaying


def test_entries_that_nobody_awaits_leave_nothing_to_replay() -> None:
    journal = Journal((_entry(0, "/p#0", "peek"), _entry(1, "/o#0", "output")))
    assert (journal.turn, journal.next_n) == (None, 2)


def test_an_answer_that_arrives_is_owed_next() -> None:
    journal = Journal((A,))
    journal.tell(A)
    journal.add(B)
    assert (journal.turn, journal.next_n) == (1, 2)
    assert journal.ask(Asked(B.key, "take")) == Known(B)


def test_what_is_told_again_after_a_reconnect_counts_once() -> None:
    journal = Journal((A, B))
    journal.tell(A)
    for entry in (A, B):
        journal.add(entry)
    assert (journal.turn, journal.next_n) == (1, 2)
    journal.tell(B)
    journal.add(B)
    assert not journal.is_replaying


def test_another_kind_under_a_key_shows_both_lines() -> None:
    journal = Journal((_entry(0, "/a#0", "step", "tasks.py:3"),))
    with pytest.raises(Diverged) as diverged:
        journal.ask(Asked(Key("/a#0"), "take", line="tasks.py:9"))
    assert "-step /a#0  at tasks.py:3" in diverged.value.message
    assert "+take /a#0  at tasks.py:9" in diverged.value.message


def test_another_fingerprint_is_no_mismatch() -> None:
    assert Journal((A,)).ask(Asked(A.key, "step", fingerprint="other")) == Known(A)


def test_a_stall_names_what_is_owed_and_what_is_asked_instead() -> None:
    journal = Journal((A, _entry(1, "/b#0", "take", "tasks.py:4"), C))
    journal.tell(A)
    stall = journal.stalled([Asked(Key("/x#0"), "step", line="tasks.py:8")])
    assert "2 more answer(s)" in stall.message
    assert "-take /b#0  at tasks.py:4" in stall.message
    assert "+step /x#0  at tasks.py:8" in stall.message


def test_a_return_with_answers_owed_says_so() -> None:
    assert "+(the task returned)" in Journal((A,)).stalled(()).message


KINDS: st.SearchStrategy[Kind] = st.sampled_from(("step", "take", "peek", "rejected", "timer"))


@given(st.lists(KINDS, max_size=12))
def test_replay_tells_every_ordered_answer_once_in_order(kinds: list[Kind]) -> None:
    """Whatever arrives while replay is under way, and however often it is sent again."""
    entries = [_entry(n, f"/{n}#0", kind) for n, kind in enumerate(kinds)]
    cut = len(entries) // 2
    journal, later, told = Journal(entries[:cut]), entries[cut:], list[int]()
    while journal.is_replaying or later:
        if later:
            journal.add(later[0])
            journal.add(later.pop(0))
        if (turn := journal.turn) is not None:
            told.append(turn)
            journal.tell(entries[turn])
    assert told == [e.n for e in entries if e.kind not in UNORDERED]
    assert journal.next_n == len(entries)
