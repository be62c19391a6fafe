"""What senders may rely on: I8, and I1 to I3 as far as the logs go.

Must never know: what became of a record after it was stored.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from headrace.errors import RunIsOver
from tests.history import events as e
from tests.history.story import Call, Story, Stream
from tests.history.verdict import Invariant, Law, Violation


def _acknowledged(story: Story) -> Iterator[tuple[Call, e.SendOk]]:
    for call in story.calls.values():
        if isinstance(call.end, e.SendOk):
            yield call, call.end


def _messages(story: Story, *ends: type[object]) -> set[tuple[str, str, str]]:
    """Return the messages of which at least one call ended so."""
    calls = story.calls.values()
    return {(*call.stream, call.begin.digest) for call in calls if isinstance(call.end, ends)}


def acknowledged_is_stored(story: Story) -> Iterator[Violation]:
    for call, end in _acknowledged(story):
        record = story.log(call.stream).get(end.seq)
        if record is None:
            yield Violation(Invariant.LOST, f"{call.begin.id}: there is no record {end.seq}")
        elif record.digest != call.begin.digest:
            yield Violation(Invariant.LOST, f"{call.begin.id}: record {end.seq} is another one")


def one_key_is_one_record(story: Story) -> Iterator[Violation]:
    seqs = defaultdict[tuple[Stream, str], set[int]](set)
    for call, end in _acknowledged(story):
        if call.begin.key:
            seqs[call.stream, call.begin.key].add(end.seq)
    for (stream, key), found in seqs.items():
        if len(found) > 1:
            yield Violation(Invariant.DOUBLED, f"{stream}: key {key} stands at {sorted(found)}")


def one_message_is_one_record(story: Story) -> Iterator[Violation]:
    unknown = _messages(story, e.SendInfo, type(None)) - _messages(story, e.SendOk)
    for stream, log in story.logs.items():
        for digest, count in Counter(record.digest for record in log.records).items():
            if count > 1:
                never = (*stream, digest) in unknown
                name = Invariant.PHANTOM if never else Invariant.DOUBLED
                yield Violation(name, f"{stream}: {digest} is there {count} times")


def refused_is_not_stored(story: Story) -> Iterator[Violation]:
    perhaps = _messages(story, e.SendOk, e.SendInfo, type(None))
    refused = _messages(story, e.SendFail) - perhaps
    for stream, log in story.logs.items():
        for record in log.records:
            if (*stream, record.digest) in refused - _too_late(story, log):
                what = f"{stream}: {record.digest} was refused and stands at {record.seq}"
                yield Violation(Invariant.PHANTOM, what)


def _too_late(story: Story, log: e.FinalLog) -> set[tuple[str, str, str]]:
    """Return the messages whose senders found the run over: they may stand where nobody reads."""
    run = story.runs.get(log.run)
    if run is None or not run.over:
        return set()
    calls = [call for call in story.calls.values() if call.stream == (log.run, log.stream)]
    late = {call.begin.digest for call in calls if _is_too_late(call)}
    unread = {record.digest for record in log.records if record.seq >= log.cursor}
    return {(log.run, log.stream, digest) for digest in late & unread}


def _is_too_late(call: Call) -> bool:
    return isinstance(call.end, e.SendFail) and call.end.code == RunIsOver.code


def nothing_comes_from_nowhere(story: Story) -> Iterator[Violation]:
    sent = {(*call.stream, call.begin.digest) for call in story.calls.values()}
    for stream, log in story.logs.items():
        for record in log.records:
            if (*stream, record.digest) not in sent:
                what = f"{stream}: nobody sent record {record.seq}, {record.digest}"
                yield Violation(Invariant.PHANTOM, what)


def logs_have_no_gaps(story: Story) -> Iterator[Violation]:
    for stream, log in story.logs.items():
        seqs = [record.seq for record in log.records]
        if seqs != list(range(len(seqs))):
            yield Violation(Invariant.REORDERED, f"{stream}: the log has gaps: {seqs[:9]}")


def real_time_is_respected(story: Story) -> Iterator[Violation]:
    """What was acknowledged before a message was first sent stands before that message."""
    calls = defaultdict[Stream, list[Call]](list)
    for call in story.calls.values():
        calls[call.stream].append(call)
    for stream in calls:
        yield from _order_of_one(stream, calls[stream])


def _order_of_one(stream: Stream, calls: Sequence[Call]) -> Iterator[Violation]:
    moments = [(call.begin.at, False, call) for call in calls]
    moments += [(call.end.at, True, call) for call in calls if call.end is not None]
    highest, floor = -1, dict[str, int]()
    for _, ended, call in sorted(moments, key=lambda moment: moment[:2]):
        if not ended:
            floor.setdefault(call.begin.digest, highest)
        elif isinstance(call.end, e.SendOk):
            if call.end.seq <= floor[call.begin.digest]:
                what = f"{stream}: {call.begin.id} stands at {call.end.seq}, before an older one"
                yield Violation(Invariant.REORDERED, what)
            highest = max(highest, call.end.seq)


LAWS: tuple[Law, ...] = (
    acknowledged_is_stored,
    one_key_is_one_record,
    one_message_is_one_record,
    refused_is_not_stored,
    nothing_comes_from_nowhere,
    logs_have_no_gaps,
    real_time_is_respected,
)
