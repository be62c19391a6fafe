"""The simulation of many waiting runs: nobody is lost in it, and the page says what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from statistics import fmean
from typing import Final

import pytest

from bench.scale import page, parameters as p
from bench.scale.__main__ import main, short
from bench.scale.chance import arrivals, draws, spread
from bench.scale.fleet import Fleet
from bench.scale.model import CASES, ROWS_OF_ANSWER, ROWS_OF_MESSAGE, cost
from bench.scale.plan import AS_BUILT, POLICIES, Disaster, Plan, Policy, calm, herd
from bench.scale.stations import Database, Loop
from bench.scale.tally import Late, late
from bench.scale.told import simulated

ROOT: Final = Path(__file__).parents[2]
RUNS: Final = 20_000
HERDS: Final = [disaster for disaster in Disaster if disaster is not Disaster.NONE]
WITHOUT_GROUPS: Final = POLICIES["without groups"]
WITHOUT_JITTER: Final = POLICIES["without jitter"]
SOURCED: Final = [each for each in p.ALL if not isinstance(each.source, p.Assumed)]


@pytest.mark.parametrize("disaster", HERDS, ids=lambda each: each.name)
def test_the_same_seed_gives_the_same_world(disaster: Disaster) -> None:
    one, again = (simulated(herd(3, RUNS, 7, disaster, AS_BUILT)) for _ in range(2))
    other = simulated(herd(3, RUNS, 8, disaster, AS_BUILT))
    assert one == again
    assert one != other


def test_another_process_prints_the_same() -> None:
    asked = [sys.executable, "-m", "bench.scale", "--servers", "2", "--runs", "1000", "--seed", "5"]
    one, other = (
        subprocess.run(
            asked, cwd=ROOT, capture_output=True, check=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2")
    )
    assert one == other
    assert b"2 servers" in one


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES.keys())
@pytest.mark.parametrize("servers", [1, 10])
@pytest.mark.parametrize("disaster", Disaster, ids=lambda each: each.name)
def test_whoever_was_sent_something_gets_it_once(
    disaster: Disaster, servers: int, policy: Policy
) -> None:
    plan = herd(servers, RUNS, 3, disaster, policy)
    fleet = Fleet(plan)
    tally = fleet.run()
    assert (tally.twice, tally.inside) == (0, 0)
    assert len(tally.reached) == plan.answered + plan.chat + plan.lost > 0
    assert all(0 <= sent < reached for sent, reached in zip(tally.sent, tally.reached, strict=True))
    assert fleet.database.rows == (
        ROWS_OF_ANSWER * (plan.answered + plan.lost) + ROWS_OF_MESSAGE * plan.chat
    )
    assert all(not server.queue and not server.backlog for server in fleet.servers)
    room = p.WORKERS.value * p.SLOTS.value
    assert [server.room for server in fleet.servers] == [room] * servers


def test_as_many_are_under_way_as_come_while_one_is() -> None:
    """Little's law: one side is counted over the time, the other over those who came."""
    tally = (fleet := Fleet(calm(1, RUNS, 2))).run()
    stays = [ended - begun for begun, ended in zip(tally.sent, tally.reached, strict=True)]
    rate = len(stays) / p.WAIT.value
    assert fleet.plan.lost == 0
    assert tally.together == pytest.approx(rate * fmean(stays), rel=0.01)


def test_a_loop_queues_as_theory_says() -> None:
    """Pollaczek and Khinchine: chance arrivals, constant service, one processor."""
    loop, count, takes, busy = Loop(), 200_000, 0.001, 0.7
    come = arrivals(count, 0.0, count * takes / busy, draws(4))
    waited = fmean(loop.passed(now, takes) - now - takes for now in come)
    assert waited == pytest.approx(takes * busy / (2 * (1 - busy)), rel=0.05)
    assert loop.busy_s == pytest.approx(count * takes)


def test_chores_take_their_time_at_once_or_in_between() -> None:
    every = p.RECHECK.value
    between, at_once = Loop(every / 2), Loop(every / 2, at_once=True)
    assert between.passed(1.2 * every, 0.1) == pytest.approx(1.2 * every + 0.2)
    assert at_once.passed(0.2 * every, 0.1) == pytest.approx(0.2 * every + 0.1)
    assert at_once.passed(1.2 * every, 0.1) == pytest.approx(1.5 * every + 0.1)
    assert at_once.passed(1.9 * every, 0.1) == pytest.approx(1.9 * every + 0.1)


def test_a_loop_that_starts_again_has_no_queue() -> None:
    loop = Loop()
    assert loop.passed(0.0, 100.0) == 100.0
    loop.cleared(5.0)
    assert loop.passed(4.0, 1.0) == 6.0


def test_the_database_works_on_as_many_statements_as_it_has_cores() -> None:
    database = Database(draws(1))
    takes = p.STATEMENT.value + 1_000 * p.ROW.value
    ends = [database.done(0.0, 1_000) for _ in range(round(p.CORES.value) + 1)]
    flush = spread(p.FLUSH_P50.value, p.FLUSH_P99.value)
    assert all(takes < end <= takes + flush[-1] for end in ends[:-1])
    assert ends[-1] > 2 * takes


def test_a_spread_has_the_percentiles_that_were_asked_for() -> None:
    values = spread(0.02, 0.04)
    found = late(values)
    assert (found.p50, found.p99) == pytest.approx((0.02, 0.04), rel=0.01)
    assert values == sorted(values)


def test_percentiles_of_nobody_and_of_a_hundred() -> None:
    assert late([]) == Late(0, 0.0, 0.0, 0.0)
    assert late([float(each) for each in range(100, 0, -1)]) == Late(100, 51.0, 100.0, 100.0)


def test_in_quiet_times_nobody_asks_twice() -> None:
    outcome = simulated(calm(10, RUNS, 1))
    assert outcome.attempts == 1.0
    assert outcome.appends == outcome.lookups == RUNS * (1 + p.CHAT.value)
    commits = ROWS_OF_ANSWER * (p.FLUSH_P50.value + p.STATEMENT.value + p.ROW.value)
    assert p.APPEND_P50.value < outcome.woken.p50 < 1.5 * (p.APPEND_P50.value + commits)


def test_nothing_is_written_while_the_database_is_lost() -> None:
    plan = herd(3, RUNS, 1, Disaster.DATABASE, AS_BUILT)
    tally = (fleet := Fleet(plan)).run()
    sure = plan.begins + 1.0  # what was under way has ended
    assert not [when for when in tally.reached if sure < when < plan.ends]
    assert [when for when in tally.reached if when > plan.ends]
    assert tally.attempts > plan.answered + plan.chat  # a server gives up after a while
    assert fleet.plan.lost > 0


def test_a_server_holds_what_comes_shortly_before_the_database_is_back() -> None:
    """Who came earlier is refused once, and held then. Live runs do not need it to be told."""
    plan = herd(3, RUNS * 10, 1, Disaster.DATABASE, AS_BUILT)
    tally = Fleet(plan).run()
    early = [
        when
        for when in tally.sent[: plan.answered]
        if plan.begins <= when < plan.ends - p.HOLD.value
    ]
    asked_again = tally.attempts - plan.answered - plan.chat
    assert asked_again == pytest.approx(len(early), rel=0.05)


def test_what_was_sent_in_a_disaster_is_told_apart_from_what_came_later() -> None:
    outcome = simulated(herd(3, RUNS * 10, 1, Disaster.DATABASE, AS_BUILT))
    rate = RUNS * 10 * (1 + p.CHAT.value) / p.WAIT.value
    assert outcome.held.count == pytest.approx(rate * 10, rel=0.15)
    assert outcome.after.count == pytest.approx(rate * 20, rel=0.15)
    assert outcome.after.p99 < 1 < outcome.held.p50
    assert 0 < outcome.through_s < 5


def test_lost_hints_cost_a_second_at_the_most() -> None:
    outcome = simulated(herd(3, RUNS * 10, 1, Disaster.REDIS, AS_BUILT))
    assert outcome.held.p99 > p.RECHECK.value / 2
    assert outcome.held.most < p.RECHECK.value + 0.5
    assert outcome.attempts == 1.0


@pytest.mark.parametrize("policy", [AS_BUILT, WITHOUT_GROUPS], ids=["groups", "alone"])
def test_what_a_killed_server_had_in_hand_comes_again(policy: Policy) -> None:
    """There is much: one server has the messages of a million runs."""
    plan = herd(1, 1_000_000, 1, Disaster.SERVERS, policy)
    fleet = Fleet(plan)
    tally = fleet.run()
    assert (tally.twice, tally.inside) == (0, 0)
    assert min(tally.reached) > 0
    assert not fleet.servers[0].queue
    messages = plan.answered + plan.chat
    assert tally.appends > messages  # some were appended before, and lost
    refused = sum(plan.begins <= when < plan.ends for when in tally.sent)
    assert tally.attempts >= messages + refused > messages
    assert not [when for when in tally.reached if plan.begins < when < plan.ends]


def test_killed_servers_forget_nobody_who_asks_again() -> None:
    plan = herd(3, RUNS * 10, 1, Disaster.SERVERS, AS_BUILT)
    tally = Fleet(plan).run()
    assert len(tally.connected) == plan.followers > 0
    assert min(tally.connected) > 0
    assert tally.attempts > plan.answered + plan.chat


def test_groups_make_fewer_statements_and_a_crowd_go_on_earlier() -> None:
    as_built, alone = (
        simulated(herd(1, RUNS * 5, 1, Disaster.CROWD, policy))
        for policy in (AS_BUILT, WITHOUT_GROUPS)
    )
    assert as_built.rows == alone.rows == alone.statements
    assert as_built.statements < as_built.rows / 2
    assert as_built.held.p99 * 100 < alone.held.p99


def test_jitter_lets_those_who_follow_come_one_after_another() -> None:
    """They were cut off together. Without it they come together, and wait for each other."""
    spaced, together = (
        Fleet(herd(100, RUNS * 5, 1, Disaster.SERVERS, policy))
        for policy in (AS_BUILT, WITHOUT_JITTER)
    )
    windows = [{round(when, 1) for when in fleet.run().connected} for fleet in (spaced, together)]
    assert len(windows[0]) > 5 * len(windows[1])


def test_a_billion_costs_a_thousand_times_a_million() -> None:
    million, billion = cost(CASES[1]), cost(CASES[2])
    assert million.rows == pytest.approx(10**6 / 86_400 * (4 + p.CHAT.value))
    assert million.redis_map == (10**6 + 10**4) * p.REDIS_ENTRY.value
    assert billion.rows == pytest.approx(1_000 * million.rows)
    assert billion.disk == pytest.approx(1_000 * million.disk)
    assert billion.cores_grouped < billion.cores_alone / 4


@pytest.mark.parametrize("each", SOURCED, ids=lambda each: each.meaning)
def test_a_number_with_a_source_stands_there(each: p.Parameter) -> None:
    """A measured one may move by a quarter before it has to be put down again."""
    match each.source:
        case p.Measured(page=where, row=row, column=column, per=per):
            line = re.search(
                rf"^\| {re.escape(row)} \|(.+)$", (ROOT / where).read_text("utf-8"), re.MULTILINE
            )
            assert line, row
            cell = line[1].split("|")[column - 1].strip()
            found = float(cell.split()[0].replace(",", "")) * per
            assert each.value == pytest.approx(found, rel=0.25)
        case p.Coded(file=where, name=name, per=per):
            line = re.search(
                rf"^ *{name}(?:: \w+)? = ([\d_.]+)$", (ROOT / where).read_text(), re.MULTILINE
            )
            assert line, name
            assert each.value == pytest.approx(float(line[1]) * per)
        case p.Assumed():
            pytest.fail("has no source")


def test_every_number_is_used() -> None:
    files = [path for path in (ROOT / "bench/scale").glob("*.py") if path.stem != "parameters"]
    used = set(re.findall(r"\bp\.([A-Z_0-9]+)\b", "".join(path.read_text() for path in files)))
    named = {name for name, each in vars(p).items() if isinstance(each, p.Parameter)}
    assert len(named) == len(p.ALL) > 30
    assert not named - used


def _block(name: str) -> str:
    begin, end = page.markers(name)
    return page.PAGE.read_text("utf-8").partition(begin)[2].partition(end)[0].strip()


def test_the_page_has_the_parameters_and_the_model() -> None:
    assert _block("parameters") == page.parameters()
    assert _block("model") == page.model()


def test_the_page_has_what_the_simulation_says_today() -> None:
    assert _block("short") == short()


def test_the_page_has_the_long_tables_too() -> None:
    assert "| runs that were woken | 1,000,000 | 1,000,000 | 1,000,000 |" in _block("calm")
    assert all(each.value[1:] in _block("herds") for each in HERDS)


def test_a_block_is_put_between_its_markers(tmp_path: Path) -> None:
    begin, end = page.markers("calm")
    (there := tmp_path / "page.md").write_text(f"a\n{begin}\nold\n{end}\nz\n")
    page.put({"calm": "new"}, there)
    assert there.read_text() == f"a\n{begin}\nnew\n{end}\nz\n"
    with pytest.raises(ValueError, match=r"page\.md has no markers for herds"):
        page.put({"herds": "new"}, there)


@pytest.mark.parametrize("servers", ["0", "1,-2", "many", ""])
def test_a_number_of_servers_that_is_none_is_refused(
    servers: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["--servers", servers])
    assert "--servers" in capsys.readouterr().err


def test_a_plan_says_when_it_goes_wrong() -> None:
    plan: Plan = herd(1, 1_000, 1, Disaster.SERVERS, AS_BUILT)
    assert plan.ends - plan.begins == pytest.approx(p.BACK.value)
    assert calm(1, 1_000, 1).ends == plan.begins
