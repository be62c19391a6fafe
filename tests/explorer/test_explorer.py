"""Laws 2 to 6 in every order of send, wait, take, timeout and cancel, for up to three actors.

`make explore` goes on to four.
"""

import pytest

from tests.explorer.cast import Cast, short
from tests.explorer.play import explore

pytestmark = pytest.mark.timeout(180)  # of searches: seconds alone, many on a busy machine


@pytest.mark.parametrize("cast", [*short()], ids=str)
def test_every_schedule_keeps_the_laws(cast: Cast) -> None:
    report = explore(cast)
    assert not report.failures, "\n".join(map(str, report.failures))
    assert report.states >= LEAST[cast.actors]


LEAST = {2: 5, 3: 50}
"""Fewer states than this mean that somebody did not act."""


def test_the_list_has_everybody_in_it() -> None:
    casts = list(short())
    assert len(set(casts)) == len(casts)
    traits = ("messages", "timeout", "early", "cancel", "held", "evicted", "fresh")
    for trait in (*traits, "saves", "drops", "unfit", "token"):
        assert {bool(getattr(cast, trait)) for cast in casts} == {False, True}
    assert {(cast.alone, cast.delivering) for cast in casts} == {
        (alone, delivering) for alone in (False, True) for delivering in (False, True)
    }
