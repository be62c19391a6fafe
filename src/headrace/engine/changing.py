"""What is changed of runs from outside: replayed, rescheduled, tagged, described.

Owns: what a replay takes over, whose metadata an edit is for, and that each change counts once.
Must never know: what metadata means.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from msgspec import Raw, UnsetType

from headrace.engine import triggers
from headrace.engine.bound import Bound
from headrace.engine.noting import Change, noted
from headrace.engine.sheet import Sheet
from headrace.engine.views import find_run, show
from headrace.errors import BadRequest, Mistake, NotFound
from headrace.kernel.commands import Reschedule
from headrace.kernel.model import Delayed, Instant, Over, Run, RunId, TaskId
from headrace.ports import Notes, Order
from headrace.wire import durations, edits, jsontext, packets
from headrace.wire.changes import Amendment, Edit, ReplayOrder
from headrace.wire.statuses import status_of
from headrace.wire.views import RunView, Triggered, TriggerOptions, TriggerOrder

SEEN: Final = 64
"""How many requests that changed a run's notes are remembered."""
LATE_MS: Final = 10 * 60_000
"""So long after its end a run's metadata may be changed."""
ROOT_AT_MOST: Final = 1_000


class Changing(Bound):
    """The use cases that change what is known of a run."""

    async def replay(self, run_id: str, order: ReplayOrder, *, request_key: str = "") -> Triggered:
        """Start another run with what this one was started with, but for what `order` says."""
        core = self._core
        run = await find_run(core, self._env, run_id)
        given = await core.stores.runs.order(run.id) or Order()
        start = triggers.Start(self._env, run.task, _again(run, given, order), request_key)
        return triggers.triggered(await triggers.trigger(core, start), "")

    async def reschedule(self, run_id: str, delay: str | float) -> RunView:
        """Have a delayed run begin at another time."""
        run = await find_run(self._core, self._env, run_id)
        until = durations.delay_until(delay, self._core.now())
        await self._core.post(run.id, _Reschedule(until))
        return await show(self._core, await find_run(self._core, self._env, run_id))

    async def tag(self, run_id: str, tags: tuple[str, ...]) -> tuple[str, ...]:
        """Add tags to the run, all or none; return those that it has now."""
        run = await find_run(self._core, self._env, run_id)

        def change(notes: Notes) -> Notes:
            return replace(notes, tags=triggers.merged(notes.tags, tags))

        return (await noted(self._core, run.id, change)).tags

    async def metadata(self, run_id: str) -> bytes:
        """Return the run's metadata: a JSON object."""
        run = await find_run(self._core, self._env, run_id)
        return await self._core.stores.runs.metadata(run.id) or b"{}"

    async def amend(self, run_id: str, amendment: Amendment, *, request_key: str = "") -> bytes:
        """Change the metadata of the run, its parent and its root; return that of the run."""
        core = self._core
        run = await find_run(core, self._env, run_id)
        if isinstance(run.state, Over) and core.now() - run.state.at > LATE_MS:
            raise Mistake(
                f"run {run.id} ended more than {LATE_MS // 60_000} minutes ago: its metadata "
                "is not changed any more"
            )
        asked = _hash(request_key)
        for target, changes in (await self._targets(run, amendment)).items():
            await noted(core, target, _amending(changes, asked))
        return await core.stores.runs.metadata(run.id) or b"{}"

    async def _targets(self, run: Run, amendment: Amendment) -> dict[RunId, list[Edit]]:
        """Return the edits of each run; one without a parent is its own."""
        own = list[Edit]()
        if not isinstance(amendment.metadata, UnsetType):
            own.append(Edit(type="update", value=amendment.metadata))
        targets: dict[RunId, list[Edit]] = {run.id: [*own, *amendment.operations]}
        if amendment.parent_operations:
            parent = await self._parent(run.id) or run.id
            targets.setdefault(parent, []).extend(amendment.parent_operations)
        if amendment.root_operations:
            root = await self._root(run.id)
            targets.setdefault(root, []).extend(amendment.root_operations)
        return {target: found for target, found in targets.items() if found}

    async def _parent(self, run_id: RunId) -> RunId | None:
        order = await self._core.stores.runs.order(run_id, most=0)
        return None if order is None else order.parent

    async def _root(self, run_id: RunId) -> RunId:
        for _ in range(ROOT_AT_MOST):
            parent = await self._parent(run_id)
            if parent is None:
                return run_id
            run_id = parent
        raise Mistake(f"the run has more than {ROOT_AT_MOST} runs above it")

    async def free_key(self, task: str, key: str) -> None:
        """Let an idempotency key of `task` be used again."""
        core = self._core
        freed = await core.stores.taken.free(self._env, TaskId(task), key, core.now())
        if freed is None:
            raise NotFound(f"no run of task {task!r} stands under this idempotency key")


def _amending(changes: list[Edit], asked: bytes) -> Change:
    def change(notes: Notes) -> Notes:
        if asked and asked in notes.seen:
            return notes  # the client's own retry, whose first answer was lost
        seen = (*notes.seen, asked)[-SEEN:] if asked else notes.seen
        return replace(notes, metadata=edits.edited(notes.metadata, changes), seen=seen)

    return change


def _hash(request_key: str) -> bytes:
    return jsontext.digest(request_key.encode()) if request_key else b""


class _Reschedule:
    """The job of giving a delayed run another time."""

    def __init__(self, until: Instant) -> None:
        self._until = until

    async def __call__(self, sheet: Sheet) -> object:
        run = sheet.run
        if not isinstance(run.state, Delayed):
            raise BadRequest(
                f"run {run.id} is not delayed: it is {status_of(run.state)}",
                hint="Only a run that has not begun yet can be given another time.",
            )
        return sheet.apply(Reschedule(self._until))


# --- replays --------------------------------------------------------------------------------------


def _again(run: Run, given: Order, order: ReplayOrder) -> TriggerOrder:
    """Return the order of a replay."""
    payload = given.payload
    if not isinstance(order.payload, UnsetType):
        payload = packets.text_of(bytes(order.payload), _kind(order.payload_type))
    metadata = given.metadata if isinstance(order.metadata, UnsetType) else bytes(order.metadata)
    return TriggerOrder(
        payload=Raw(payload),
        options=TriggerOptions(
            metadata=Raw(metadata),
            tags=list(given.tags) if order.tags is None else order.tags,
            delay=order.delay,
            ttl=_ttl(run, given) if order.ttl is None else order.ttl,
            idempotency_key=order.idempotency_key,
            idempotency_key_ttl=order.idempotency_key_ttl,
            max_attempts=_first(order.max_attempts, run.limits.max_attempts),
            max_duration=_longest(run) if order.max_duration is None else order.max_duration,
            test=given.test,
        ),
    )


def _first(asked: int | None, given: int) -> int:
    return given if asked is None else asked


def _kind(payload_type: str) -> str:
    return {"json": packets.JSON, "super+json": packets.SUPER_JSON}.get(payload_type, payload_type)


def _ttl(run: Run, given: Order) -> str | float | None:
    if given.ttl and not given.ttl.isdigit():
        return given.ttl
    ttl_ms = run.limits.ttl_ms
    return None if ttl_ms is None else ttl_ms / 1_000


def _longest(run: Run) -> float | None:
    longest = run.limits.max_duration_ms
    return None if longest is None else longest / 1_000
