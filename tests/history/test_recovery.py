"""How long what was held up lasted after a healing, on histories made up."""

from __future__ import annotations

from tests.history import events as e
from tests.history.recovery import WAKES, percentile, recoveries, zombies
from tests.history.story import Story, tell

MS = 1_000_000
WHOLE = 10_000
"""When all is whole again, in milliseconds."""


def story(*events: e.Event) -> Story:
    final = e.FinalRun(at=0, run="r", now_ms=0, over="Completed", answers=())
    whole = e.Healed(at=WHOLE * MS, kind="cut", since=8_000 * MS)
    fault = e.Fault(at=8_000 * MS, kind="cut")
    return tell(sorted([final, fault, whole, *events], key=lambda event: event.at))


def sent(name: str, called: int, acknowledged: int, sender: str = "raw") -> list[e.Event]:
    begin = e.SendInvoke(
        at=called * MS, id=name, sender=sender, run="r", stream="s", key=name, digest=name
    )
    return [begin, e.SendOk(at=acknowledged * MS, id=name, seq=0)]


def given(name: str, at: int, life: str = "1.1") -> e.TakeOk:
    return e.TakeOk(
        at=at * MS, run="r", stream="s", place=name, life=life, verb="on", ending="value",
        digest=name,
    )  # fmt: skip


def measured(*events: e.Event) -> tuple[list[float], ...]:
    (one,) = recoveries(story(*events), frozenset({"raw"}))
    return [*one.sends], [*one.values], [*one.news]


def test_a_send_is_held_up_if_it_began_before_and_ended_after() -> None:
    assert measured(*sent("a", 9_000, 10_300)) == ([300], [], [])
    assert measured(*sent("a", 9_000, 9_900)) == ([], [], [])
    assert measured(*sent("a", 10_100, 10_300)) == ([], [], [])
    assert measured(*sent("a", 9_000, 10_300, sender="sync")) == ([], [], [])


def test_the_first_call_and_the_first_acknowledgement_count() -> None:
    again = e.SendInvoke(
        at=9_500 * MS, id="a2", sender="raw", run="r", stream="s", key="a", digest="a"
    )
    ok = e.SendOk(at=10_100 * MS, id="a2", seq=0, duplicate=True)
    assert measured(*sent("a", 9_000, 10_300), again, ok) == ([100], [], [])


def test_a_value_is_held_up_from_the_healing_on() -> None:
    assert measured(*sent("a", 9_000, 9_100), given("a", 10_400)) == ([], [400], [])
    assert measured(*sent("a", 9_000, 9_100), given("a", 9_400)) == ([], [], [])
    replayed = given("a", 12_000, life="2.2")
    assert measured(*sent("a", 9_000, 9_100), given("a", 10_400), replayed) == ([], [400], [])


def test_news_count_from_their_acknowledgement() -> None:
    assert measured(*sent("a", 10_100, 10_200), given("a", 12_500)) == ([], [], [2_300])
    assert measured(*sent("a", 15_100, 15_200), given("a", 15_300)) == ([], [], [])


def test_what_another_fault_holds_up_counts_until_that() -> None:
    again = e.Fault(at=11_000 * MS, kind="kill")
    assert measured(*sent("a", 9_000, 13_000), given("a", 13_000), again) == ([1_000], [], [])
    assert measured(*sent("a", 9_000, 9_100), given("a", 13_000), again) == ([], [1_000], [])
    assert measured(*sent("a", 10_100, 10_200), given("a", 13_000), again) == ([], [], [])


def asked(life: str, at: int) -> e.TakeInvoke:
    return e.TakeInvoke(at=at * MS, run="r", stream="s", place="s#0", life=life)


def test_a_zombie_is_a_life_whose_run_another_process_has_by_now() -> None:
    wakes = e.Fault(at=9_000 * MS, kind=WAKES, who="1")
    assert zombies(story(asked("1.1", 100), asked("2.2", 8_500), wakes)) == 1
    assert zombies(story(asked("1.1", 100), asked("2.2", 9_500), wakes)) == 0
    assert zombies(story(asked("2.2", 100), asked("1.1", 8_500), wakes)) == 0


def test_a_percentile_is_a_value_that_was_there() -> None:
    assert percentile([], 0.99) == 0
    assert percentile([5.0], 0.99) == 5
    assert percentile(map(float, range(1, 101)), 0.5) == 51
    assert percentile(map(float, range(1, 101)), 0.99) == 100
