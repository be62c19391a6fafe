"""What a task may rely on: I4, I5, I9, and I1 to I3 from the log to user code.

Must never know: how long anything took.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator

from tests.history import events as e
from tests.history.story import Story, Stream
from tests.history.verdict import Invariant, Law, Violation


def _takes(run: e.FinalRun | None) -> list[e.Answer]:
    answers = () if run is None else run.answers
    return sorted((one for one in answers if one.seq >= 0), key=lambda one: one.n)


def _gaps(seqs: list[int], start: int = 0) -> list[int] | None:
    """Return the numbers, doubles left out, if they do not follow one another."""
    once = list(dict.fromkeys(seqs))
    return None if once == list(range(start, start + len(once))) else once


def taken_is_stored(story: Story) -> Iterator[Violation]:
    for run in story.runs.values():
        for answer in _takes(run):
            record = story.log((run.run, answer.stream)).get(answer.seq)
            if record is None or record.digest != answer.digest:
                what = f"{run.run}: entry {answer.n} is not record {answer.seq} of {answer.stream}"
                yield Violation(Invariant.LOST, what)


def one_record_is_taken_once(story: Story) -> Iterator[Violation]:
    for run in story.runs.values():
        taken = Counter((answer.stream, answer.seq) for answer in _takes(run))
        for (stream, seq), count in taken.items():
            if count > 1:
                what = f"{run.run}: record {seq} of {stream} was taken {count} times"
                yield Violation(Invariant.DOUBLED, what)


def one_record_is_given_at_one_place(story: Story) -> Iterator[Violation]:
    places = defaultdict[tuple[Stream, str], set[str]](set)
    for given in story.given:
        if given.ending == "value":
            places[(given.run, given.stream), given.digest].add(given.place)
    for (stream, digest), found in places.items():
        if len(found) > 1:
            yield Violation(Invariant.DOUBLED, f"{stream}: {digest} came at {sorted(found)}")


def takes_follow_the_log(story: Story) -> Iterator[Violation]:
    """The journal takes 0, 1, 2 of each stream, and the cursor stands behind the last."""
    for run in story.runs.values():
        seqs = defaultdict[str, list[int]](list)
        for answer in _takes(run):
            seqs[answer.stream].append(answer.seq)
        for stream, taken in seqs.items():
            if (gaps := _gaps(taken)) is not None:
                yield Violation(Invariant.REORDERED, f"{run.run}: took {gaps[:9]} of {stream}")


def cursors_follow_the_takes(story: Story) -> Iterator[Violation]:
    for (run, stream), log in story.logs.items():
        taken = [one.seq for one in _takes(story.runs.get(run)) if one.stream == stream]
        if log.cursor != max(taken, default=-1) + 1:
            what = f"{run}: the cursor of {stream} is {log.cursor}, taken were {taken[-9:]}"
            yield Violation(Invariant.REORDERED, what)


def code_sees_the_order_of_the_log(story: Story) -> Iterator[Violation]:
    """Within a life, values come one after the other; it may begin anywhere (a snapshot)."""
    for (run, stream, life), given in story.lives().items():
        stored = sorted(story.log((run, stream)).items(), reverse=True)  # of doubles, the first
        where = {record.digest: seq for seq, record in stored}
        seqs = [where[one.digest] for one in given if one.ending == "value" and one.digest in where]
        if seqs and (gaps := _gaps(seqs, seqs[0])) is not None:
            yield Violation(Invariant.REORDERED, f"{run}: life {life} saw {gaps[:9]} of {stream}")


def epochs_never_fall(story: Story) -> Iterator[Violation]:
    top = dict[str, int]()
    for commit in sorted(story.commits, key=lambda one: (one.run, one.n)):
        newest = top.get(commit.run, commit.epoch)
        if commit.epoch < newest:
            what = f"{commit.run}: entry {commit.n} is by epoch {commit.epoch} after {newest}"
            yield Violation(Invariant.ZOMBIE, what)
        top[commit.run] = max(newest, commit.epoch)


def waits_end_once(story: Story) -> Iterator[Violation]:
    for run in story.runs.values():
        ends = Counter([*(one.key for one in run.answers), *(one.key for one in run.parked)])
        for key, count in ends.items():
            if count > 1:
                what = f"{run.run}: {key} is answered or stands {count} times"
                yield Violation(Invariant.UNSETTLED, what)


def finished_code_was_answered(story: Story) -> Iterator[Violation]:
    answered = {(given.run, given.place) for given in story.given}
    for run, place in dict.fromkeys((asked.run, asked.place) for asked in story.asked):
        final = story.runs.get(run)
        if final is not None and final.over == "Completed" and (run, place) not in answered:
            what = f"{run}: the task returned, and {place} was never answered"
            yield Violation(Invariant.UNSETTLED, what)


def each_life_is_told_the_same(story: Story) -> Iterator[Violation]:
    told = dict[tuple[str, str], e.TakeOk]()
    for given in story.given:
        before = told.setdefault((given.run, given.place), given)
        where = f"{given.run}: {given.place}"
        if before.ending != given.ending:
            what = f"{where} ended as {before.ending}, then as {given.ending}"
            yield Violation(Invariant.UNSETTLED, what)
        elif before.digest != given.digest:
            what = f"{where} gave {before.digest}, then {given.digest}"
            yield Violation(Invariant.DIFFERS, what)


def code_sees_what_is_remembered(story: Story) -> Iterator[Violation]:
    held = {(run.run, a.stream, a.digest) for run in story.runs.values() for a in _takes(run)}
    for given in story.given:
        if given.ending == "value" and (given.run, given.stream, given.digest) not in held:
            what = f"{given.run}: {given.place} saw {given.digest}, which no entry holds"
            yield Violation(Invariant.DIFFERS, what)


LAWS: tuple[Law, ...] = (
    taken_is_stored,
    one_record_is_taken_once,
    one_record_is_given_at_one_place,
    takes_follow_the_log,
    cursors_follow_the_takes,
    code_sees_the_order_of_the_log,
    epochs_never_fall,
    waits_end_once,
    finished_code_was_answered,
    each_life_is_told_the_same,
    code_sees_what_is_remembered,
)
