"""What goes over HTTP, and through every `Api`: requests, answers, views of a run.

Field names are camelCase on the wire. What is optional is absent there, never null.
Must never know: how a run is stored or decided.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field, structs

Status: TypeAlias = Literal[
    "DELAYED",
    "PENDING_VERSION",
    "QUEUED",
    "DEQUEUED",
    "EXECUTING",
    "WAITING",
    "COMPLETED",
    "FAILED",
    "CANCELED",
    "CRASHED",
    "SYSTEM_FAILURE",
    "EXPIRED",
    "TIMED_OUT",
]
FINAL: frozenset[Status] = frozenset(
    {"COMPLETED", "FAILED", "CANCELED", "CRASHED", "SYSTEM_FAILURE", "EXPIRED", "TIMED_OUT"}
)


class Wire(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Base: frozen, by keyword, camelCase, defaults left out."""


Machine: TypeAlias = Literal[
    "micro", "small-1x", "small-2x", "medium-1x", "medium-2x", "large-1x", "large-2x"
]
LimitName: TypeAlias = Annotated[str, Meta(pattern=r"^[a-zA-Z0-9_-]{1,122}(?!\n)$")]


class Debounce(Wire, frozen=True, kw_only=True):
    """Triggers with one `key` that are one run: each puts it off, by `delay` from then on.

    `leading`: it keeps what it was started with; `trailing`: it takes over what came last. One that
    would begin later than `max_delay` after its creation is left alone, and another started.
    """

    key: str
    delay: str
    mode: Literal["leading", "trailing"] = "leading"
    max_delay: str | None = None


class QueueOption(Wire, frozen=True, kw_only=True):
    """A queue by its name; there are none."""

    name: str
    concurrency_limit: int | None = None


class GateOption(Wire, frozen=True, kw_only=True):
    """A queue that a run passes as well; there are none."""

    queue: Annotated[str, Meta(min_length=1, max_length=128)]
    concurrency_key: Annotated[str, Meta(min_length=1, max_length=128)] | None = None


class Unheeded(Wire, frozen=True, kw_only=True):
    """What a trigger may say that has no effect: it must be well-formed all the same."""

    queue: QueueOption | None = None
    concurrency_key: str | int | float | None = None
    gates: Annotated[list[GateOption], Meta(max_length=3)] | None = None
    concurrency: Annotated[list[LimitName], Meta(max_length=2)] | None = None
    machine: Machine | None = None
    region: str | None = None
    priority: int | float | None = None
    lock_to_version: str | None = None
    external_deployment_id: str | None = None
    payload_size: Annotated[int, Meta(ge=0)] | None = None
    parent_batch: str | None = None
    bulk_action_id: str | None = None
    resume_parent_on_completion: bool | None = None


class TriggerOptions(Unheeded, frozen=True, kw_only=True):
    """How to start a run. Durations are text ("5m"), seconds, or (delay) an ISO date.

    Without a `payload_type` the payload is a bare JSON value; with one it may be a packet's text.
    """

    payload_type: str = ""
    delay: str | int | float | None = None
    ttl: str | int | float | None = None
    idempotency_key: str | None = None
    idempotency_key_ttl: str | None = field(default=None, name="idempotencyKeyTTL")
    idempotency_key_options: dict[str, str] | None = None
    tags: str | list[str] | None = None
    metadata: Raw = Raw()
    max_attempts: int | None = None
    max_duration: float | None = None
    parent_run_id: str | None = None
    metadata_type: str = ""
    test: bool = False
    debounce: Debounce | None = None


class TriggerOrder(Wire, frozen=True, kw_only=True):
    """Body of a trigger. `payload` is a bare JSON value, or the text of a packet."""

    payload: Raw = Raw()
    options: TriggerOptions = TriggerOptions()


class Triggered(Wire, frozen=True, kw_only=True):
    """Answer to a trigger. `public_token` travels as a header."""

    id: str
    is_cached: bool
    public_token: str = ""


class Receipt(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """Answer to a send: durable, and any waiting run has been made runnable."""

    ok: Literal[True] = True
    seq: int
    duplicate: bool
    resumed: bool


class WaitView(Wire, frozen=True, kw_only=True):
    """What one branch of a run waits for. Instants are ISO 8601 text."""

    key: str
    since: str
    stream: str | UnsetType = UNSET
    until: str | UnsetType = UNSET
    line: str | UnsetType = UNSET
    token: str | UnsetType = UNSET


class ErrorView(Wire, frozen=True, kw_only=True):
    """How a run failed."""

    message: str
    name: str | UnsetType = UNSET
    stack_trace: str | UnsetType = UNSET


Fits: TypeAlias = Literal["same", "continues", "replays", "kept", "blocked", "unknown"]
"""How a run goes on with the newest code: see `CodeView`."""


class CodeView(Wire, frozen=True, kw_only=True):
    """The code that a run started on, the newest one of its task, and how it goes on with that.

    `same`: it started on the newest. `continues`: the code has changed, but no function that it
    waits in. `replays`: from its journal. `kept`: with the source that was saved with it.
    `blocked`: not until its code fits again. `unknown`: nobody has said what the code is made of.
    """

    fits: Fits
    why: str
    version: str | UnsetType = UNSET
    newest: str | UnsetType = UNSET


class RelatedRuns(Wire, frozen=True, kw_only=True):
    """Kept for the clients' schema; filled once runs have children views."""


class Acceptance(Wire, frozen=True, kw_only=True):
    """How a run's code may differ from its journal.

    `skip` are numbers of entries that it does not ask for any more, `insert` keys of questions that
    it asks at another place than the journal has them.
    """

    skip: tuple[int, ...] = ()
    insert: tuple[str, ...] = ()


Large: TypeAlias = Literal["payload", "output"]
"""What of a run may be too large for a view of it."""


class RunView(Wire, frozen=True, kw_only=True):
    """A run as everybody outside sees it.

    A `blocked` one has in `acceptable` both sides of the difference, if it can be accepted. What is
    `large` is left out: it is to be asked for by itself, over HTTP at a URL that is shown with it.
    """

    id: str
    task_identifier: str
    status: Status
    is_queued: bool
    is_executing: bool
    is_waiting: bool
    is_completed: bool
    is_success: bool
    is_failed: bool
    is_cancelled: bool
    is_test: bool
    created_at: str
    updated_at: str
    tags: list[str]
    cost_in_cents: float
    base_cost_in_cents: float
    duration_ms: int
    depth: int
    trigger_function: Literal["trigger"]
    attempt_count: int
    related_runs: RelatedRuns
    waits: list[WaitView]
    unread: dict[str, int]
    idempotency_key: str | UnsetType = UNSET
    version: str | UnsetType = UNSET
    started_at: str | UnsetType = UNSET
    finished_at: str | UnsetType = UNSET
    delayed_until: str | UnsetType = UNSET
    retrying_until: str | UnsetType = UNSET
    expired_at: str | UnsetType = UNSET
    ttl: str | UnsetType = UNSET
    metadata: Raw | UnsetType = UNSET
    payload: Raw | UnsetType = UNSET
    output: Raw | UnsetType = UNSET
    error: ErrorView | UnsetType = UNSET
    blocked: str | UnsetType = UNSET
    acceptable: Acceptance | UnsetType = UNSET
    large: tuple[Large, ...] = ()
    payload_presigned_url: str | UnsetType = UNSET
    output_presigned_url: str | UnsetType = UNSET
    code: CodeView | UnsetType = UNSET
    """Only where one run is asked for that is not over."""


def filled(view: RunView, name: Large, body: Raw) -> RunView:
    """Return the view with one of its large values."""
    left = tuple(other for other in view.large if other != name)
    if name == "payload":
        return structs.replace(view, payload=body, large=left, payload_presigned_url=UNSET)
    return structs.replace(view, output=body, large=left, output_presigned_url=UNSET)


class Pagination(Wire, frozen=True, kw_only=True):
    """Cursors to the pages beside this one."""

    next: str | UnsetType = UNSET
    previous: str | UnsetType = UNSET


class RunPage(Wire, frozen=True, kw_only=True):
    """Runs, newest first."""

    data: list[RunView]
    pagination: Pagination


class RunQuery(Wire, frozen=True, kw_only=True):
    """Which runs to list. Empty means all. `after` and `before` are run ids.

    `since` and `until`, both inclusive, are milliseconds since 1970: when it was created; so long
    ago at most as `within_ms` says.
    """

    size: int = 25
    after: str | None = None
    before: str | None = None
    status: tuple[Status, ...] = ()
    task: tuple[str, ...] = ()
    tag: tuple[str, ...] = ()
    version: tuple[str, ...] = ()
    test: bool | None = None
    since: int | None = None
    until: int | None = None
    within_ms: int | None = None
    nothing: bool = False
    """Whether something is asked for that no run has: a batch, a schedule, a machine."""


class RecordView(Wire, frozen=True, kw_only=True):
    """One record of a stream. `data` is the user's value; `timestamp` is in ms."""

    seq: int
    timestamp: int
    id: str
    data: Raw
