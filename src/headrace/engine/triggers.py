"""Starting runs.

Owns: what a trigger may ask for, idempotency keys, and handing a fresh run straight to a worker.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from headrace.engine import debouncing
from headrace.engine.core import Core
from headrace.engine.ids import run_id
from headrace.engine.jobs import look, nothing
from headrace.engine.parcels import opened
from headrace.engine.seats import Seat
from headrace.engine.telling import Kit
from headrace.errors import BadRequest, Mistake, NotFound, TooLarge, Unavailable
from headrace.kernel import machine
from headrace.kernel.model import (
    Delayed,
    EnvId,
    Expired,
    Failed,
    Instant,
    Limits,
    Over,
    Queued,
    Run,
    RunId,
    State,
    TaskId,
    later,
)
from headrace.ports import NEVER, Created, Order, Postponed, Spent, Ticket
from headrace.wire import durations, edits, packets, schemas
from headrace.wire.registration import TaskSpec
from headrace.wire.views import Triggered, TriggerOptions, TriggerOrder

PAYLOAD_AT_MOST = packets.MOST
TAGS_AT_MOST, TAG_LENGTH, KEY_LENGTH = 10, 128, 2_048
KEY_TTL_MS = 30 * 86_400_000
REQUEST_TTL_MS = 86_400_000
TRIES: Final = 5
"""How often it is tried again because a run that stood under a key has ended, or begun."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Start:
    """One trigger: which task, in which environment, and who asks for it again."""

    env: EnvId
    task: str
    order: TriggerOrder
    request_key: str = ""
    parent: RunId | None = None
    ticket: Ticket | None = None


async def trigger(core: Core, start: Start) -> Created:
    """Create the run, or find the one that was created before."""
    spec = await core.specs.task(start.env, start.task)
    if spec is None:
        message = f"no worker has ever declared a task {start.task!r} in this environment"
        raise NotFound(message, hint="Start a worker with it: headrace dev FILE.")
    start = replace(start, order=await opened(core, start.env, start.order))
    now = core.now()
    order = _order(start, spec, now)
    run = _run(core, start, spec, now)
    free: RunId | None = None
    for _ in range(TRIES):
        created, seat, run = await _create(core, run, order, Terms(free, start.ticket))
        if not created.cached:
            _hand_over(core, run, order, seat)
            return created
        if created.delayed:
            if await _put_off(core, created.run_id, start, order):
                return created
            continue  # it has begun meanwhile
        if created.by_request:
            core.post(created.run_id, look)  # the reply of the first was lost, perhaps here
        free = None if created.by_request else await _spent(core, created.run_id)
        if free is None:
            return created
    message = "the idempotency key is being used by others at the same time"
    raise Unavailable(message, hint="Try again.")


async def _put_off(core: Core, found: RunId, start: Start, order: Order) -> bool:
    """Have the delayed run begin later, instead of another."""
    options = start.order.options
    delay = debouncing.asked(options.debounce)
    if delay is None:
        raise AssertionError("only a debounced trigger finds a run that is delayed")
    longest = options.max_duration
    longest_ms = None if longest is None else durations.duration_ms(longest)
    given = debouncing.Given(options.max_attempts, longest_ms)
    said = Postponed(order, core.now(), replaces=delay.trailing, ticket=start.ticket)
    return await _unspent(debouncing.put_off(core, found, delay, given, said), start.task)


@dataclass(frozen=True, slots=True)
class Terms:
    """What else a creation does: it frees the keys of a run, and uses a ticket up."""

    free: RunId | None = None
    ticket: Ticket | None = None


async def _create(
    core: Core, run: Run, order: Order, terms: Terms
) -> tuple[Created, Seat | None, Run]:
    """Create the run, in a worker's hands already if one has room."""
    create, free, ticket = core.stores.runs.create, terms.free, terms.ticket
    seat = core.seats.pick(run.env, run.task) if isinstance(run.state, Queued) else None
    if seat is None:
        return await _unspent(create(run, order, free=free, ticket=ticket), run.task), None, run
    seat.running.add(run.id)
    claimed = machine.decide(run, seat.claim, run.created).after
    try:
        created = await _unspent(create(claimed, order, free=free, ticket=ticket), run.task)
    except BaseException:
        seat.running.discard(run.id)
        with suppress(Unavailable):
            core.post(run.id, look)  # it may have landed, and the worker not have been told
        raise
    if created.cached:
        seat.running.discard(run.id)
        return created, None, run
    return created, seat, claimed


async def _unspent(using: Awaitable[T], task: str) -> T:
    try:
        return await using
    except Spent:
        raise Mistake(
            f"Cannot trigger {task} with a one-time use token as it has already been used.",
            hint="Ask the backend for a new token.",
        ) from None


def _hand_over(core: Core, run: Run, order: Order, seat: Seat | None) -> None:
    core.created(run)
    if seat is None:
        return
    core.desk(run.id).renew(run)
    if not seat.is_open:  # it may have come back meanwhile, and not have been told
        core.post(run.id, nothing)
    elif run.id not in seat.known:
        core.teller.hand_over(seat, run, Kit(order))


async def _spent(core: Core, found: RunId) -> RunId | None:
    """Return the run if its end has set its idempotency key free."""
    run = await core.stores.runs.load(found)
    match run:
        case Run(state=Over(outcome=Failed() | Expired())):
            return found
        case _:
            return None


def _run(core: Core, start: Start, spec: TaskSpec, now: Instant) -> Run:
    options = start.order.options
    until = now if options.delay is None else durations.delay_until(options.delay, now)
    debounce = debouncing.asked(options.debounce)
    if debounce is not None and until <= now:
        until = later(now, debounce.ms)
    state: State = Delayed(until) if until > now else Queued(now)
    return Run(
        id=run_id(now, core.chance),
        env=start.env,
        task=TaskId(start.task),
        created=now,
        updated=now,
        state=state,
        limits=_limits(options, spec),
    )


def _limits(options: TriggerOptions, spec: TaskSpec) -> Limits:
    attempts = spec.retry.max_attempts if options.max_attempts is None else options.max_attempts
    if attempts < 1:
        message = f"maxAttempts is at least 1, not {attempts}"
        raise BadRequest(message)
    ttl = spec.ttl_ms if options.ttl is None else durations.duration_ms(options.ttl)
    longest = spec.max_duration_ms
    if options.max_duration is not None:
        longest = durations.duration_ms(options.max_duration)
    return Limits(attempts, ttl or None, longest)


def _order(start: Start, spec: TaskSpec, now: Instant) -> Order:
    options = start.order.options
    key, ttl = options.idempotency_key or "", options.idempotency_key_ttl
    debounce = debouncing.asked(options.debounce)
    if len(key) > KEY_LENGTH:
        message = f"an idempotency key has at most {KEY_LENGTH} characters"
        raise BadRequest(message)
    return Order(
        payload=_payload(start.order, spec),
        metadata=_metadata(options),
        tags=_tags(options),
        key=key,
        key_until=later(now, KEY_TTL_MS if ttl is None else durations.duration_ms(ttl)),
        request_key=start.request_key,
        # What a run has started stays its own, however long its worker was away.
        request_until=NEVER if start.parent is not None else later(now, REQUEST_TTL_MS),
        parent=start.parent,
        ttl="" if options.ttl is None else str(options.ttl),
        named=(options.idempotency_key_options or {}).get("key", "")[:KEY_LENGTH],
        test=options.test,
        debounce=None if debounce is None else debounce.under(now),
    )


def _payload(order: TriggerOrder, spec: TaskSpec) -> bytes:
    payload = packets.payload_of(order)
    if len(payload) > PAYLOAD_AT_MOST:
        message = f"a payload holds at most {PAYLOAD_AT_MOST} bytes, this has {len(payload)}"
        raise TooLarge(message)
    if spec.schema and (payload or not spec.optional):
        schemas.validator(spec.schema)(payload or b"null")
    return payload


def _metadata(options: TriggerOptions) -> bytes:
    value = packets.text_of(bytes(options.metadata), options.metadata_type)
    return b"" if value in {b"", b"null"} else edits.checked(value)


def _tags(options: TriggerOptions) -> tuple[str, ...]:
    given = options.tags
    return merged((), () if given is None else (given,) if isinstance(given, str) else given)


def merged(tags: tuple[str, ...], added: Iterable[str]) -> tuple[str, ...]:
    """Return all the tags, none twice; refuse what is too long or too many."""
    found = tuple(dict.fromkeys((*tags, *added)))
    if any(not 0 < len(tag) <= TAG_LENGTH for tag in found):
        raise BadRequest(f"a tag has 1 to {TAG_LENGTH} characters")
    if len(found) > TAGS_AT_MOST:
        raise Mistake(f"a run has at most {TAGS_AT_MOST} tags, this would have {len(found)}")
    return found


def triggered(created: Created, token: str) -> Triggered:
    """Show what came of a trigger; a client's own retry is no cached run."""
    cached = created.cached and not created.by_request
    return Triggered(id=created.run_id, is_cached=cached, public_token=token)
