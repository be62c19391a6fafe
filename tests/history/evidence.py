"""Guards against a pass that means nothing: what the test must have done to prove anything."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from tests.history import events as e
from tests.history.story import Story
from tests.history.times import lateness

NOBODY: Final = ("ConnectionRefusedError", "nothing listens there")
"""How a sender says that it could not even connect."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What a history must show at the very least. `faults` are counted while a send was open."""

    acknowledged: int = 0
    duplicates: int = 0
    taken: int = 0
    replayed: int = 0
    timeouts: int = 0
    success: float = 0.5
    senders: frozenset[str] = frozenset()
    verbs: frozenset[str] = frozenset()
    faults: Mapping[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a history shows."""

    calls: int
    acknowledged: int
    duplicates: int
    unknown: int
    unheard: int
    """Calls for which nobody listened: how many depends on how soon who was killed is back."""
    refused: int
    taken: int
    replayed: int
    timeouts: int
    senders: Mapping[str, int]
    verbs: Mapping[str, int]
    faults: Mapping[str, int]
    faults_while_sending: Mapping[str, int]


def show(story: Story) -> Evidence:
    """Count what happened."""
    calls = story.calls.values()
    ends = Counter(type(call.end) for call in calls)
    values = [given for given in story.given if given.ending == "value"]
    places = {(given.run, given.place) for given in values}
    acknowledged = [(call.begin, call.end) for call in calls if isinstance(call.end, e.SendOk)]
    return Evidence(
        calls=len(story.calls),
        acknowledged=len(acknowledged),
        duplicates=sum(end.duplicate for _, end in acknowledged),
        unknown=ends[e.SendInfo] + ends[type(None)],
        unheard=sum(_is_unheard(call.end) for call in calls),
        refused=ends[e.SendFail],
        taken=len(places),
        replayed=len(values) - len(places),
        timeouts=len(lateness(story)),
        senders=Counter(begin.sender for begin, _ in acknowledged),
        verbs=Counter(given.verb for given in values),
        faults=Counter(fault.kind for fault in story.faults),
        faults_while_sending=_while_sending(story),
    )


def _is_unheard(end: object) -> bool:
    return isinstance(end, e.SendInfo) and any(word in end.why for word in NOBODY)


def _while_sending(story: Story) -> Mapping[str, int]:
    """Count the faults that struck between the first and the last word of some send."""
    moments: list[tuple[int, int | e.Fault]] = [(fault.at, fault) for fault in story.faults]
    for call in story.calls.values():
        if call.end is not None:
            moments += [(call.begin.at, 1), (call.end.at, -1)]
    under_way, found = 0, Counter[str]()
    for _, what in sorted(moments, key=lambda moment: moment[0]):
        if isinstance(what, e.Fault):
            found[what.kind] += under_way > 0
        else:
            under_way += what
    return found


def missing(evidence: Evidence, demand: Demand) -> list[str]:
    """Say what is missing for the test to mean anything."""
    return [*_too_few(evidence, demand), *_not_seen(evidence, demand)]


def _too_few(evidence: Evidence, demand: Demand) -> Iterator[str]:
    for name in ("acknowledged", "duplicates", "taken", "replayed", "timeouts"):
        least, count = getattr(demand, name), getattr(evidence, name)
        if count < least:
            yield f"{name}: {count} of at least {least}"
    for kind, least in demand.faults.items():
        count = evidence.faults_while_sending.get(kind, 0)
        if count < least:
            yield f"{kind} while a send was under way: {count} of at least {least}"
    heard = evidence.calls - evidence.unheard
    share = evidence.acknowledged / heard if heard else 0
    if share < demand.success:
        yield f"success: {share:.0%} of at least {demand.success:.0%}"


def _not_seen(evidence: Evidence, demand: Demand) -> Iterator[str]:
    for sender in sorted(demand.senders - evidence.senders.keys()):
        yield f"sender {sender} was never acknowledged"
    for verb in sorted(demand.verbs - evidence.verbs.keys()):
        yield f"{verb} never gave a value"
