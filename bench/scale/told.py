"""What a simulated time comes to: the figures of the page out of moments and counters.

Must never know: how they are shown.
"""

from __future__ import annotations

from bench.scale import parameters as p
from bench.scale.fleet import Fleet
from bench.scale.model import idle_rate
from bench.scale.plan import Plan
from bench.scale.tally import Outcome, late, s2_dollars

SOON_S = 20.0


def simulated(plan: Plan) -> Outcome:
    """Let the time pass, and sum it up."""
    fleet = Fleet(plan)
    tally = fleet.run()
    pairs = list(zip(tally.sent, tally.reached, strict=True))
    messages = plan.answered + plan.chat
    sent = [pair for pair in pairs[:messages] if plan.begins <= pair[0]]
    held = [(begun, ended) for begun, ended in sent if begun < plan.ends]
    after = [ended - begun for begun, ended in sent if plan.ends <= begun < plan.ends + SOON_S]
    length = tally.length
    busy = sum(server.loop.busy_s for server in fleet.servers)
    return Outcome(
        woken=late([ended - begun for begun, ended in pairs[: plan.answered]]),
        live=late([ended - begun for begun, ended in pairs[plan.answered : messages]]),
        held=late([ended - begun for begun, ended in held]),
        after=late(after),
        through_s=max((ended for _, ended in held), default=plan.ends) - plan.ends,
        back=late(tally.connected),
        again=late([ended - plan.ends for _, ended in pairs[messages:]]),
        attempts=tally.attempts / max(messages, 1),
        statements=fleet.database.statements,
        idle=round(idle_rate(plan.servers) * length),
        rows=fleet.database.rows,
        peak=max(fleet.database.moments.values(), default=0),
        loops=busy / plan.servers / length,
        length=length,
        together=tally.together,
        appends=tally.appends,
        reads=tally.reads,
        lookups=tally.lookups,
        redis_bytes=plan.live * p.REDIS_ENTRY.value,
        redis_map_bytes=(plan.runs + plan.live) * p.REDIS_ENTRY.value,
        s2_dollars=s2_dollars(tally.appends, tally.reads),
    )
