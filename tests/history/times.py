"""What must have happened by now: I6 and I7.

Time in which nobody was there to act does not count; the history says when that was.
"""

from collections.abc import Iterator, Sequence

from tests.history import events as e
from tests.history.story import Story
from tests.history.verdict import Invariant, Violation


def no_wait_is_stuck(story: Story) -> Iterator[Violation]:
    for run in story.runs.values():
        for wait in run.parked:
            log = story.logs.get((run.run, wait.stream))
            if log is not None and log.cursor < len(log.records):
                what = f"{run.run}: {wait.key} waits for record {log.cursor}, which is there"
                yield Violation(Invariant.STUCK, what)


def timers_fire_in_time(story: Story, late_ms: int) -> Iterator[Violation]:
    for run in story.runs.values():
        for answer in run.answers:
            fault = _judged(answer, story.outages, late_ms)
            if fault:
                yield Violation(Invariant.MISTIMED, f"{run.run}: {answer.key} fired {fault}")
        for wait in run.parked:
            due = wait.deadline_ms
            if due is not None and _uptime(story.outages, due, run.now_ms) > late_ms:
                what = f"{run.run}: {wait.key} was due at {due} and has not fired"
                yield Violation(Invariant.MISTIMED, what)


def lateness(story: Story) -> list[int]:
    """Return how many milliseconds of uptime after its deadline each timer fired, sorted."""
    answers = (answer for run in story.runs.values() for answer in run.answers)
    late = (_late(answer, story.outages) for answer in answers)
    return sorted(ms for ms in late if ms is not None)


def _judged(answer: e.Answer, outages: Sequence[e.Outage], late_ms: int) -> str:
    late = _late(answer, outages)
    if late is None:
        return ""
    if late < 0:
        return f"{-late} ms early"
    return f"{late} ms late" if late > late_ms else ""


def _late(answer: e.Answer, outages: Sequence[e.Outage]) -> int | None:
    """Return by how much the deadline was missed; None where it did not end the wait."""
    due = answer.deadline_ms
    if due is None or answer.seq >= 0 or answer.ending == "cancelled":
        return None
    return answer.at_ms - due if answer.at_ms < due else _uptime(outages, due, answer.at_ms)


def _uptime(outages: Sequence[e.Outage], start: int, end: int) -> int:
    down = (min(o.until_ms, end) - max(o.from_ms, start) for o in outages)
    return max(0, end - start - sum(ms for ms in down if ms > 0))
