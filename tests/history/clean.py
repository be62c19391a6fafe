"""A history in which nothing is wrong, with a bit of everything in it.

Two runs with a stream each. Run `a` is executed twice from the top: its second life sees the first
two values again. Messages 3 and 4 of its stream are a retry and a send that nobody saw the end of;
the last wait times out. Run `b` still waits in the end.
"""

from collections.abc import Iterator
from itertools import count

from tests.history import events as e

DUE_MS = 9_000


def history() -> list[e.Event]:
    ticks = count(1)
    return [*_sends(ticks), *_takes(ticks), *_ends(ticks)]


def _sends(ticks: Iterator[int]) -> Iterator[e.Event]:
    for n in range(3):
        yield from _sent(ticks, "a", n, n)
    yield _invoked(ticks, "a", 3, "a3:first")
    yield e.Fault(at=next(ticks), kind="server")
    yield e.SendInfo(at=next(ticks), id="a3:first", why="connection lost")
    yield from _sent(ticks, "a", 3, 3, duplicate=True)
    yield _invoked(ticks, "a", 4, "a4")
    yield e.SendInfo(at=next(ticks), id="a4", why="connection lost")
    yield _invoked(ticks, "a", 5, "a5")
    yield e.SendFail(at=next(ticks), id="a5", code="bad_value")
    yield _invoked(ticks, "a", 6, "a6")
    yield _invoked(ticks, "a", 1, "a1:again")
    yield e.SendOk(at=next(ticks), id="a1:again", seq=1, duplicate=True)
    yield from _sent(ticks, "b", 0, 0)


def _invoked(ticks: Iterator[int], run: str, n: int, id: str) -> e.SendInvoke:
    return e.SendInvoke(
        at=next(ticks), id=id, sender="raw", run=run, stream="s", key=f"k{n}", digest=f"{run}{n}"
    )


def _sent(
    ticks: Iterator[int], run: str, n: int, seq: int, *, duplicate: bool = False
) -> Iterator[e.Event]:
    yield _invoked(ticks, run, n, f"{run}{n}")
    yield e.SendOk(at=next(ticks), id=f"{run}{n}", seq=seq, duplicate=duplicate)


def _takes(ticks: Iterator[int]) -> Iterator[e.Event]:
    for life, seen in (("1", 2), ("2", 5)):
        for n in range(seen):
            yield e.TakeInvoke(at=next(ticks), run="a", stream="s", place=f"p{n}", life=life)
            yield _given(ticks, n, life)
    yield e.TakeInvoke(at=next(ticks), run="a", stream="s", place="p5", life="2")
    yield _given(ticks, 5, "2", ending="timeout")


def _given(ticks: Iterator[int], n: int, life: str, *, ending: e.Ending = "value") -> e.TakeOk:
    return e.TakeOk(
        at=next(ticks),
        run="a",
        stream="s",
        place=f"p{n}",
        life=life,
        verb="wait",
        ending=ending,
        digest=f"a{n}" if ending == "value" else "",
    )


def _taken(run: str, n: int) -> e.Answer:
    return e.Answer(
        n=n, key=f"key{n}", at_ms=n, ending="value", stream="s", seq=n, digest=f"{run}{n}"
    )


def _ends(ticks: Iterator[int]) -> Iterator[e.Event]:
    for n in range(5):
        yield e.Commit(at=next(ticks), run="a", n=n, epoch=1 + (n > 1))
    timeout = e.Answer(
        n=5, key="key5", at_ms=DUE_MS + 3_100, ending="timeout", stream="s", deadline_ms=DUE_MS
    )
    yield e.Outage(at=next(ticks), from_ms=DUE_MS - 500, until_ms=DUE_MS + 3_000)
    yield e.FinalRun(
        at=next(ticks),
        run="a",
        now_ms=20_000,
        over="Completed",
        answers=(*(_taken("a", n) for n in range(5)), timeout),
    )
    stored = tuple(e.Stored(n, f"a{n}", f"k{n}") for n in range(5))
    yield e.FinalLog(at=next(ticks), run="a", stream="s", records=stored, cursor=5)
    standing = e.Parked(key="key9", stream="s", deadline_ms=25_000)
    first = _taken("b", 0)
    yield e.FinalRun(
        at=next(ticks), run="b", now_ms=20_000, over="", answers=(first,), parked=(standing,)
    )
    yield e.FinalLog(
        at=next(ticks), run="b", stream="s", records=(e.Stored(0, "b0", "k0"),), cursor=1
    )
