"""Time is the database's: never ahead of it, never backwards, whatever its clock is set to."""

from headrace.backends.postgres import open_postgres
from headrace.backends.postgres.clock import YOUNG_US, HeardClock, boot_us
from headrace.kernel.model import Instant, later
from headrace.ports import Stores
from headrace.testing.contracts.given import T0, WORKER, executing
from tests.postgres.raw import raw, until

START = 1_700_000_000_000_000


async def test_it_is_never_ahead_of_the_database(stores: Stores, database: str) -> None:
    async with raw(database) as connection:
        sql = "SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
        for _ in range(200):
            ours = stores.clock.now()
            theirs = await connection.fetchval(sql)
            assert ours <= theirs <= ours + 1_000
            await stores.leases.sit(WORKER, later(ours, 5_000))


def test_the_answer_that_came_soonest_counts() -> None:
    now = [5_000_000]
    clock = HeardClock(START, lambda: now[0])
    now[0] += 10_000
    clock.hear(START + 4_000)  # it took 6 ms to come
    assert clock.now() == START // 1_000 + 10
    now[0] += 10_000
    clock.hear(START + 21_000)  # the database is ahead: we were told late at first
    assert clock.now() == START // 1_000 + 21


def test_a_clock_that_goes_slower_is_followed_but_never_backwards() -> None:
    now = [5_000_000]
    clock, seen = HeardClock(START, lambda: now[0]), list[Instant]()
    for second in range(1, 20):
        now[0] += 1_000_000
        clock.hear(START + second * 999_000)
        seen.append(clock.now())
    assert seen == sorted(seen)
    ahead = seen[-1] - (START // 1_000 + 19 * 999)
    assert ahead <= YOUNG_US / 1_000_000 * 1 + 1


def test_a_database_whose_clock_is_set_back_stops_ours() -> None:
    now = [5_000_000]
    clock = HeardClock(START, lambda: now[0])
    now[0] += 10_000_000
    before = clock.now()
    clock.hear(START - 3_600_000_000)
    assert clock.now() == before
    now[0] += 10_000_000
    clock.hear(START + 20_000_000)  # it is right again
    assert clock.now() == START // 1_000 + 20_000


def test_between_answers_it_goes_on_by_itself() -> None:
    clock = HeardClock(START)
    before, begun = clock.now(), boot_us()
    while boot_us() < begun + 3_000:
        pass
    assert clock.now() >= later(before, 3)


async def test_it_never_starts_below_what_was_written(database: str) -> None:
    far = later(T0, 10**12)
    async with raw(database) as connection:
        await connection.execute("UPDATE headrace.meta SET at = $1", far)
    async with open_postgres(database) as stores:
        assert stores.clock.now() >= far


async def test_what_is_written_is_noted(stores: Stores, database: str) -> None:
    before = stores.clock.now()
    await executing(stores)
    async with raw(database) as connection:

        async def is_noted() -> bool:
            return bool(await connection.fetchval("SELECT at FROM headrace.meta") >= before)

        await until(is_noted)
