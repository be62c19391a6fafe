"""A history, sorted by what it is about: calls, logs, journals, lives.

Owns: putting events together, and that a history which cannot be put together is an error.
Must never know: any invariant.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar, assert_never

from tests.history import events as e

Stream: TypeAlias = tuple[str, str]
"""A run and the name of one of its streams."""
Place: TypeAlias = tuple[str, str]
"""A run and a place in its code."""
Life: TypeAlias = tuple[str, str, str]
"""A run, the name of one of its streams, and an execution of its code."""


K = TypeVar("K")
V = TypeVar("V")


class Malformed(Exception):
    """The events are no history: the test harness is wrong, whatever it tests."""


@dataclass(frozen=True, slots=True)
class Call:
    """One send, from its first word to its last; no end: nobody lived to see it."""

    begin: e.SendInvoke
    end: e.SendOk | e.SendFail | e.SendInfo | None = None

    @property
    def stream(self) -> Stream:
        return self.begin.run, self.begin.stream


@dataclass(slots=True)
class Story:
    """Everything that was seen, in the order in which it was seen."""

    calls: dict[str, Call] = field(default_factory=dict[str, Call])
    logs: dict[Stream, e.FinalLog] = field(default_factory=dict[Stream, e.FinalLog])
    runs: dict[str, e.FinalRun] = field(default_factory=dict[str, e.FinalRun])
    asked: list[e.TakeInvoke] = field(default_factory=list[e.TakeInvoke])
    given: list[e.TakeOk] = field(default_factory=list[e.TakeOk])
    commits: list[e.Commit] = field(default_factory=list[e.Commit])
    saved: list[e.Saved] = field(default_factory=list[e.Saved])
    carried: list[e.Carried] = field(default_factory=list[e.Carried])
    unwound: list[e.Unwound] = field(default_factory=list[e.Unwound])
    faults: list[e.Fault] = field(default_factory=list[e.Fault])
    outages: list[e.Outage] = field(default_factory=list[e.Outage])
    healed: list[e.Healed] = field(default_factory=list[e.Healed])

    def log(self, stream: Stream) -> Mapping[int, e.Stored]:
        """Return the records of a stream by number; of a stream that was never written, none."""
        final = self.logs.get(stream)
        return {} if final is None else {record.seq: record for record in final.records}

    def lives(self) -> Mapping[Life, list[e.TakeOk]]:
        """Group what was given by stream and by execution of the code."""
        found = defaultdict[Life, list[e.TakeOk]](list)
        for given in self.given:
            found[given.run, given.stream, given.life].append(given)
        return found


def tell(events: Iterable[e.Event]) -> Story:
    """Sort a history; raise `Malformed` where an event has no beginning or comes twice."""
    story = Story()
    for event in events:
        _add(story, event)
    unseen = {call.begin.run for call in story.calls.values()} - story.runs.keys()
    if unseen:
        raise Malformed(f"nobody looked at the end at {len(unseen)} run(s): {sorted(unseen)[:3]}")
    return story


def _add(story: Story, event: e.Event) -> None:
    match event:
        case e.SendInvoke():
            _new(story.calls, event.id, Call(event))
        case e.SendOk() | e.SendFail() | e.SendInfo():
            _end(story, event)
        case e.TakeInvoke():
            story.asked.append(event)
        case e.TakeOk():
            story.given.append(event)
        case e.FinalLog():
            _new(story.logs, (event.run, event.stream), event)
        case e.FinalRun():
            _new(story.runs, event.run, event)
        case e.Saved() | e.Carried() | e.Unwound():
            _leave(story, event)
        case _:
            _note(story, event)


def _leave(story: Story, event: e.Saved | e.Carried | e.Unwound) -> None:
    match event:
        case e.Saved():
            story.saved.append(event)
        case e.Carried():
            story.carried.append(event)
        case e.Unwound():
            story.unwound.append(event)
        case _:
            assert_never(event)


def _note(story: Story, event: e.Commit | e.Fault | e.Outage | e.Healed) -> None:
    match event:
        case e.Commit():
            story.commits.append(event)
        case e.Fault():
            story.faults.append(event)
        case e.Outage():
            story.outages.append(event)
        case e.Healed():
            story.healed.append(event)
        case _:
            assert_never(event)


def _end(story: Story, event: e.SendOk | e.SendFail | e.SendInfo) -> None:
    call = story.calls.get(event.id)
    if call is None:
        raise Malformed(f"call {event.id} ends and never began")
    if call.end is not None:
        raise Malformed(f"call {event.id} ends twice")
    story.calls[event.id] = Call(call.begin, event)


def _new(known: dict[K, V], key: K, value: V) -> None:
    if key in known:
        raise Malformed(f"{key} comes twice")
    known[key] = value
