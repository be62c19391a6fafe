"""Who is alone keeps things to himself, and owns up to whoever turns up."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from headrace.backends.redis.company import QUIET_S, Company


class Sender:
    """A sender of which we say what it counts and hears, and when."""

    def __init__(self) -> None:
        self.now, self.owned_up = 0.0, 0
        self.company = Company(lambda: self.now, self._own_up)

    def _own_up(self) -> None:
        self.owned_up += 1

    def alone(self, number: int = 1) -> Company:
        """Return its company once it knows that there is none."""
        self.company.counted(number, 1)
        self.company.echoed(number)
        return self.company


@pytest.fixture
def sender() -> Sender:
    return Sender()


def test_whose_message_he_alone_heard_is_alone(sender: Sender) -> None:
    assert not sender.company.keeps()
    assert sender.alone().keeps()


def test_the_echo_may_come_before_the_count(sender: Sender) -> None:
    sender.company.echoed(1)
    assert not sender.company.is_alone
    sender.company.counted(1, 1)
    assert sender.company.is_alone


@pytest.mark.parametrize("hearers", [0, 2, 7])
def test_who_is_heard_by_none_or_several_is_not_alone(sender: Sender, hearers: int) -> None:
    company = sender.alone()
    company.echoed(2)
    company.counted(2, hearers)
    assert not company.is_alone


def test_the_one_who_heard_may_be_another(sender: Sender) -> None:
    """Our connection that listens may be dead without our knowing."""
    company = sender.alone()
    company.counted(2, 1)
    assert not company.is_alone


def test_who_heard_another_is_not_alone_until_it_was_quiet(sender: Sender) -> None:
    """However few Redis counted: it may count those of one of its nodes only."""
    sender.alone().met()
    sender.now = QUIET_S - 0.1
    assert not sender.alone(2).is_alone
    sender.now = QUIET_S
    assert sender.company.is_alone


def test_silence_alone_proves_nothing(sender: Sender) -> None:
    """Nobody may have heard us since, nor we them."""
    sender.alone().met()
    sender.now = QUIET_S
    assert not sender.company.is_alone


def test_who_heard_another_before_the_count_of_hearers_came_is_not_alone(sender: Sender) -> None:
    sender.company.echoed(1)
    sender.company.met()
    sender.company.counted(1, 1)
    assert not sender.company.is_alone


SIGNS: dict[str, Callable[[Company], None]] = {
    "heard": Company.met,
    "counted": lambda company: company.counted(2, 2),
    "not even ourselves": lambda company: company.counted(2, 0),
    "deaf": Company.deaf,
}


@pytest.mark.parametrize("sign", SIGNS.values(), ids=SIGNS)
def test_what_was_kept_is_owned_up_to_once(sender: Sender, sign: Callable[[Company], None]) -> None:
    assert sender.alone().keeps()
    sign(sender.company)
    assert not sender.company.is_alone
    assert sender.owned_up == 1
    sign(sender.company)
    assert sender.owned_up == 1


@pytest.mark.parametrize("sign", SIGNS.values(), ids=SIGNS)
def test_who_kept_nothing_owes_nothing(sender: Sender, sign: Callable[[Company], None]) -> None:
    sign(sender.alone())
    assert not sender.company.keeps()
    sign(sender.company)
    assert sender.owned_up == 0


def test_what_was_kept_while_a_message_was_on_its_way_is_owed(sender: Sender) -> None:
    company = sender.alone()
    assert company.keeps()  # the next message has left, and has not been answered
    company.counted(2, 2)
    assert sender.owned_up == 1


def test_that_we_wait_for_our_echo_is_no_sign_of_anybody(sender: Sender) -> None:
    assert sender.alone().keeps()
    sender.company.counted(2, 1)
    assert not sender.company.keeps()
    sender.company.echoed(2)
    assert sender.company.keeps()
    assert sender.owned_up == 0
