"""The replay cursor: what was answered is told again in the order of its answering."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from headrace.kernel.journal import (
    UNORDERED,
    Asked,
    Diverged,
    Journal,
    Known,
    New,
    inserting,
    skipping,
)
from headrace.kernel.model import EPOCH, Entry, Gap, Key, Kind


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


def test_a_gap_is_the_entry_that_is_owed_and_what_is_asked_instead() -> None:
    journal = Journal((A, B, C))
    journal.tell(A)
    asked = [Asked(C.key, "step"), Asked(Key("/x#0"), "step"), Asked(Key("/y#0"), "take")]
    assert journal.stalled(asked).gap == Gap(1, (Key("/x#0"), Key("/y#0")))
    assert journal.stalled(asked[:1]).gap == Gap(1, (C.key,)), "what is asked too early"
    assert journal.stalled(()).gap == Gap(1)
    assert "--- recorded, entry 1\n" in journal.stalled(()).message


# --- what was accepted ----------------------------------------------------------------------------


def _accepted(*entries: Entry) -> list[Entry]:
    """Number the entries on behind A, B and C."""
    return [A, B, C, *(replace(entry, n=3 + i) for i, entry in enumerate(entries))]


def test_what_is_skipped_is_owed_to_nobody() -> None:
    journal = Journal(_accepted(skipping(A), skipping(C)))
    assert (journal.turn, journal.next_n) == (1, 5)
    journal.tell(B)
    assert not journal.is_replaying
    assert journal.passed == {A.key, C.key}


def test_who_asks_for_what_is_skipped_is_told_that_it_was_accepted() -> None:
    journal = Journal(_accepted(skipping(A)))
    with pytest.raises(Diverged, match="does not ask for any more") as diverged:
        journal.ask(Asked(A.key, "step", line="tasks.py:9"))
    assert "+step /a#0  at tasks.py:9" in diverged.value.message
    assert diverged.value.gap is None


def test_what_is_inserted_is_known_and_has_no_turn() -> None:
    journal = Journal(_accepted(inserting(B.key)))
    assert journal.is_loose(B.key)
    assert not journal.is_loose(A.key)
    assert journal.ask(Asked(B.key, "take")) == Known(B)
    assert journal.unasked == B.key
    journal.tell(A)
    assert journal.turn == 2
    journal.tell(B)
    assert journal.unasked is None


def test_what_is_inserted_and_new_has_no_turn_when_it_is_answered() -> None:
    audit = _entry(4, "/audit#0")
    journal = Journal(_accepted(inserting(audit.key)))
    assert journal.ask(Asked(audit.key, "step")) == New()
    journal.add(audit)
    assert (journal.turn, journal.unasked) == (0, audit.key)
    for entry in (A, B, C):
        journal.tell(entry)
    assert not journal.is_replaying


def test_the_waits_behind_a_rejected_value_are_inserted_with_the_first() -> None:
    journal = Journal(_accepted(inserting(Key("/x#1"))))
    for key, is_loose in (("/x#1", True), ("/x#1~1", True), ("/x#11", False), ("/x#0~1", False)):
        assert journal.is_loose(Key(key)) == is_loose


def test_what_a_snapshot_stands_for_is_not_skipped_again() -> None:
    journal = Journal(_accepted(skipping(A), inserting(B.key))[3:], start=3)
    assert (journal.turn, journal.next_n, journal.unasked) == (None, 5, None)


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


@given(st.lists(KINDS, max_size=12), st.sets(st.integers(0, 11)), st.sets(st.integers(0, 11)))
def test_what_is_not_accepted_is_told_in_order_all_the_same(
    kinds: list[Kind], skipped: set[int], inserted: set[int]
) -> None:
    entries = [_entry(n, f"/{n}#0", kind) for n, kind in enumerate(kinds)]
    accepted = [skipping(e) for e in entries if e.n in skipped]
    accepted += [inserting(e.key) for e in entries if e.n in inserted]
    last = len(entries)
    journal = Journal([*entries, *(replace(e, n=last + i) for i, e in enumerate(accepted))])
    told = list[int]()
    while (turn := journal.turn) is not None:
        told.append(turn)
        journal.tell(entries[turn])
    aside = skipped | inserted
    assert told == [e.n for e in entries if e.kind not in UNORDERED and e.n not in aside]
    assert journal.next_n == len(entries) + len(accepted)
